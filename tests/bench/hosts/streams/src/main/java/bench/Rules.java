package bench;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.List;

/**
 * The part of the default rules that is written by hand here: transactional answers, abandonment of
 * carts and itineraries, purchase milestones; cooldown, caps, quiet hours, consent and expiry.
 */
final class Rules {
  static final long MINUTE = 60_000L;
  static final long HOUR = 60 * MINUTE;
  static final long DAY = 24 * HOUR;
  static final long COOLDOWN = 2 * DAY;
  static final long LONGEST_WINDOW = 7 * DAY;

  private static final LocalTime QUIET_FROM = LocalTime.of(21, 0);
  private static final LocalTime QUIET_TO = LocalTime.of(8, 0);

  /** A limit on marketing sends in a rolling window. */
  private record Cap(int limit, long within) {}

  private static final List<Cap> CAPS = List.of(new Cap(2, DAY), new Cap(5, 7 * DAY));

  /** What the gates say: the channel to send on, or why not, or until when to wait. */
  record Verdict(String outcome, String reason, String channel, long again) {}

  private Rules() {}

  /** Opens what a cart or an itinerary starts, or closes what a later start no longer wants. */
  static void start(
      Customer customer, String trigger, String family, int priority, String key, JsonNode event,
      boolean wanted, long expires, long... afters) {
    long anchor = event.get("occurred_at").asLong();
    if (customer.hasLaterAnchor(trigger, key, anchor)) {
      return;
    }
    customer.cancel(trigger, key, anchor);
    if (wanted) {
      open(customer, trigger, family, priority, key, event, expires, afters);
    }
  }

  /** The messages that a milestone brings. */
  static void milestones(Customer customer, double spendBefore, int orders, JsonNode event) {
    if (orders == 1) {
      open(customer, "first_purchase", "first_purchase", 55, "1", event, DAY, HOUR);
    } else if (orders == 2) {
      open(customer, "repeat_purchase", "repeat_purchase", 50, "2", event, DAY, HOUR);
    }
    if (orders % 5 == 0) {
      String mark = String.valueOf(orders);
      open(customer, "every_fifth_order", "every_fifth_order", 50, mark, event, DAY, 2 * HOUR);
    }
    if (spendBefore < 500 && customer.spend >= 500) {
      open(customer, "loyalty_reward", "loyalty_reward", 55, "500", event, 3 * DAY, 3 * HOUR);
    }
    if (spendBefore < 1000 && customer.spend >= 1000) {
      open(customer, "vip", "vip", 75, "1000", event, 3 * DAY, 3 * HOUR);
    }
  }

  private static void open(
      Customer customer, String trigger, String family, int priority, String key, JsonNode event,
      long expires, long... afters) {
    for (int number = 0; number < afters.length; number++) {
      Customer.Step step = new Customer.Step();
      step.trigger = trigger;
      step.family = family;
      step.key = key;
      step.eventId = event.get("event_id").asText();
      step.number = number;
      step.priority = priority;
      step.anchor = event.get("occurred_at").asLong();
      step.due = step.fire = step.anchor + afters[number];
      step.expires = step.due + expires;
      customer.steps.add(step);
    }
  }

  /** A transactional message: the first channel that has an address. */
  static Verdict answer(Customer customer, String... channels) {
    for (String channel : channels) {
      if (address(customer, channel) != null) {
        return new Verdict("send", "passed", channel, 0);
      }
    }
    return new Verdict("suppress", "reach", null, 0);
  }

  /** The gates of a marketing step, in order. */
  static Verdict decide(Customer customer, Customer.Step step, long now) {
    if (now > step.expires) {
      return new Verdict("suppress", "expired", null, 0);
    }
    for (Customer.Sent sent : customer.sends) {
      boolean same =
          sent.trigger.equals(step.trigger) && sent.key.equals(step.key)
              && sent.anchor == step.anchor;
      if (!same && sent.family.equals(step.family) && sent.at > now - COOLDOWN) {
        return new Verdict("suppress", "cooldown", null, 0);
      }
    }
    String first = null, waitsFor = null;
    long again = Customer.NEVER;
    long capped = cappedUntil(customer, now);
    for (String channel : List.of("push", "email")) {
      String failed = null;
      if (address(customer, channel) == null) {
        failed = "reach";
      } else if (Boolean.FALSE.equals(customer.consent.get(channel))) {
        failed = "consent";
      } else {
        long quiet = channel.equals("push") ? quietUntil(customer, now) : now;
        if (quiet <= now && capped <= now) {
          return new Verdict("send", "passed", channel, 0);
        }
        failed = quiet >= capped ? "quiet" : "cap";
        if (Math.max(quiet, capped) < again) {
          again = Math.max(quiet, capped);
          waitsFor = failed;
        }
      }
      first = first == null ? failed : first;
    }
    if (again <= step.expires) {
      return new Verdict("defer", waitsFor, null, again);
    }
    return new Verdict("suppress", first, null, 0);
  }

  /** Until when a cap forbids a send; ``now`` when none does. */
  private static long cappedUntil(Customer customer, long now) {
    long until = now;
    for (Cap cap : CAPS) {
      List<Long> inWindow =
          customer.sends.stream().map(sent -> sent.at).filter(at -> at > now - cap.within).toList();
      if (inWindow.size() >= cap.limit) {
        until = Math.max(until, inWindow.get(inWindow.size() - cap.limit) + cap.within);
      }
    }
    return until;
  }

  private static long quietUntil(Customer customer, long now) {
    ZoneId zone = ZoneId.of(customer.profile.getOrDefault("timezone", "UTC"));
    ZonedDateTime local = Instant.ofEpochMilli(now).atZone(zone);
    LocalTime time = local.toLocalTime();
    if (time.isBefore(QUIET_FROM) && !time.isBefore(QUIET_TO)) {
      return now;
    }
    ZonedDateTime end = local.with(QUIET_TO);
    return (end.isAfter(local) ? end : end.plusDays(1)).toInstant().toEpochMilli();
  }

  static String address(Customer customer, String channel) {
    return customer.profile.get(channel.equals("push") ? "push_token" : channel);
  }
}
