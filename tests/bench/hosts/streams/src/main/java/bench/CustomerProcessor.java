package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Keeps a customer's record and answers events. Timers are found by an index in memory, built from
 * the store at the start, so that they cost no writes.
 */
final class CustomerProcessor implements Processor<String, byte[], String, byte[]> {
  static final String STORE = "customers";
  static final String DISPATCH = "dispatch";
  static final String DECISIONS = "decisions";

  private final ObjectMapper json;
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, byte[]> store;
  private final TreeMap<Long, List<String>> timers = new TreeMap<>();
  private final Map<String, Long> timerOf = new HashMap<>();

  CustomerProcessor(ObjectMapper json) {
    this.json = json;
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    store = context.getStateStore(STORE);
    try (KeyValueIterator<String, byte[]> all = store.all()) {
      while (all.hasNext()) {
        KeyValue<String, byte[]> each = all.next();
        index(each.key, read(each.value).nextFire());
      }
    }
    context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, this::fire);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    JsonNode event;
    try {
      event = json.readTree(record.value());
    } catch (IOException exc) {
      throw new IllegalArgumentException("not JSON", exc);
    }
    String id = event.get("customer_id").asText();
    if (!id.equals(record.key())) {
      throw new IllegalArgumentException("the key is not the customer id");
    }
    Customer customer = load(id);
    if (!customer.remember(event.get("event_id").asText())) {
      return;
    }
    apply(customer, event, record.timestamp());
    save(customer);
  }

  private void apply(Customer customer, JsonNode event, long time) {
    JsonNode data = event.get("data");
    String type = event.get("type").asText();
    long at = event.get("occurred_at").asLong();
    int count = customer.count(type);
    switch (type) {
      case "profile_updated" -> profile(customer, data);
      case "product_viewed" -> customer.view(at);
      case "cart_updated" -> {
        boolean wanted = data.path("value").asDouble() >= 20;
        String cart = data.get("cart_id").asText();
        Rules.start(customer, "cart_abandoned", "cart", 60, cart, event, wanted,
            6 * Rules.HOUR, 30 * Rules.MINUTE, Rules.DAY);
      }
      case "order_placed" -> {
        customer.cancel("cart_abandoned", data.path("cart_id").asText(null), at);
        double before = customer.spend;
        customer.spend += Math.max(0, data.path("value").asDouble());
        Rules.milestones(customer, before, count, event);
        answer(customer, type, event, time, "email", "push");
      }
      case "delivered" -> answer(customer, type, event, time, "push", "email");
      case "itinerary_saved" -> {
        Rules.start(customer, "booking_abandoned_at_itinerary", "booking", 55,
            data.get("booking_id").asText(), event, true, 12 * Rules.HOUR, 2 * Rules.HOUR);
        answer(customer, type, event, time, "email");
      }
      case "booking_confirmed" -> {
        String booking = data.path("booking_id").asText(null);
        customer.cancel("booking_abandoned_at_itinerary", booking, at);
        answer(customer, type, event, time, "email", "push");
      }
      default -> { }
    }
  }

  private static void profile(Customer customer, JsonNode data) {
    data.properties().forEach(
        field -> {
          if (field.getValue().isTextual()) {
            customer.profile.put(field.getKey(), field.getValue().asText());
          }
        });
    data.path("consent").properties().forEach(
        field -> customer.consent.put(field.getKey(), field.getValue().asBoolean()));
  }

  private void answer(
      Customer customer, String trigger, JsonNode event, long now, String... channels) {
    Customer.Step step = new Customer.Step();
    step.trigger = trigger;
    step.key = step.eventId = event.get("event_id").asText();
    step.anchor = step.due = event.get("occurred_at").asLong();
    step.expires = step.due + Rules.DAY;
    step.priority = 90;
    write(customer, step, Rules.answer(customer, channels), now, "transactional", event);
  }

  /** Decides every step whose time has come. */
  private void fire(long now) {
    while (!timers.isEmpty() && timers.firstKey() <= now) {
      for (String id : new ArrayList<>(timers.firstEntry().getValue())) {
        Customer customer = load(id);
        List<Customer.Step> due = new ArrayList<>(customer.steps);
        due.removeIf(step -> step.fire > now);
        due.sort((a, b) -> a.fire != b.fire ? Long.compare(a.fire, b.fire) : b.priority - a.priority);
        for (Customer.Step step : due) {
          decide(customer, step, now);
        }
        customer.forgetSendsBefore(now - Rules.LONGEST_WINDOW);
        save(customer);
      }
    }
  }

  private void decide(Customer customer, Customer.Step step, long now) {
    Rules.Verdict verdict = Rules.decide(customer, step, now);
    if (verdict.outcome().equals("defer")) {
      step.fire = verdict.again();
    } else {
      customer.steps.remove(step);
    }
    if (verdict.outcome().equals("send")) {
      Customer.Sent sent = new Customer.Sent();
      sent.trigger = step.trigger;
      sent.family = step.family;
      sent.key = step.key;
      sent.anchor = step.anchor;
      sent.at = now;
      customer.sends.add(sent);
    }
    write(customer, step, verdict, now, "marketing", null);
  }

  /** The decision, and the send request if there is one. */
  private void write(
      Customer customer, Customer.Step step, Rules.Verdict verdict, long now, String category,
      JsonNode event) {
    String identity =
        step.trigger + "|" + customer.id + "|" + step.key + "|" + step.anchor + "|" + step.number;
    ObjectNode both = json.createObjectNode();
    both.put("request_id",
        UUID.nameUUIDFromBytes(identity.getBytes(StandardCharsets.UTF_8)).toString());
    both.put("customer_id", customer.id).put("trigger", step.trigger).put("step", step.number);
    both.put("key", step.key).put("category", category).put("priority", step.priority);
    both.put("channel", verdict.channel()).put("template", step.trigger);
    both.put("due_at", Instant.ofEpochMilli(step.due).toString());
    both.put("decided_at", Instant.ofEpochMilli(now).toString());
    both.put("expires_at", Instant.ofEpochMilli(step.expires).toString());
    both.putObject("cause").put("event_id", step.eventId);
    ObjectNode decision = both.deepCopy();
    decision.put("outcome", verdict.outcome()).put("reason", verdict.reason());
    decision.put("anchor_at", Instant.ofEpochMilli(step.anchor).toString());
    forward(customer.id, decision, now, DECISIONS);
    if (verdict.outcome().equals("send")) {
      both.put("kind", "send").put("address", Rules.address(customer, verdict.channel()));
      ObjectNode tokens = both.putObject("tokens");
      if (event != null) {
        tokens.setAll((ObjectNode) event.get("data"));
      }
      forward(customer.id, both, now, DISPATCH);
    }
  }

  private void forward(String id, ObjectNode value, long time, String child) {
    context.forward(new Record<>(id, bytes(value), time), child);
  }

  private Customer load(String id) {
    byte[] value = store.get(id);
    if (value != null) {
      return read(value);
    }
    Customer customer = new Customer();
    customer.id = id;
    return customer;
  }

  private void save(Customer customer) {
    store.put(customer.id, bytes(customer));
    index(customer.id, customer.nextFire());
  }

  private void index(String id, long fire) {
    Long before = fire == Customer.NEVER ? timerOf.remove(id) : timerOf.put(id, fire);
    if (before != null && before != fire) {
      timers.computeIfPresent(before, (at, ids) -> ids.remove(id) && ids.isEmpty() ? null : ids);
    }
    if (fire != Customer.NEVER && (before == null || before != fire)) {
      timers.computeIfAbsent(fire, at -> new ArrayList<>(1)).add(id);
    }
  }

  private byte[] bytes(Object value) {
    try {
      return json.writeValueAsBytes(value);
    } catch (IOException exc) {
      throw new IllegalStateException(exc);
    }
  }

  private Customer read(byte[] value) {
    try {
      return json.readValue(value, Customer.class);
    } catch (IOException exc) {
      throw new IllegalStateException(exc);
    }
  }
}
