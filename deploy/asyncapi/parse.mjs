// What AsyncAPI's own parser says of a document, and JavaScript's own regular expressions and Ajv of
// the schemas: node parse.mjs NODE_MODULES ASYNCAPI_JSON SCHEMA_JSON... Prints one JSON object.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, document, ...schemas] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Parser } = require("@asyncapi/parser");
const Ajv = require("ajv");

const parsed = await new Parser().parse(readFileSync(document, "utf8"));
const problems = parsed.diagnostics
  .filter(({ severity }) => severity <= 1)
  .map(({ code, path, message }) => `${path.join(".")}: ${code}: ${message}`);
const found = parsed.document && {
  channels: parsed.document.channels().all().length,
  operations: parsed.document.operations().all().length,
  messages: parsed.document.messages().all().length,
};

const schemaProblems = [];
for (const path of schemas) {
  const schema = JSON.parse(readFileSync(path, "utf8"));
  try {
    const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
    for (const example of schema.examples ?? []) {
      if (!validate(example)) {
        schemaProblems.push(`${path}: its example: ${JSON.stringify(validate.errors)}`);
      }
    }
  } catch (error) {
    schemaProblems.push(`${path}: ${error.message}`);
  }
}
console.log(JSON.stringify({ problems, found, schemaProblems }));
