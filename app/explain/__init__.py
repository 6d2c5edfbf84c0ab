"""Why a customer got a message or did not: from the record, the rules and the decisions."""
