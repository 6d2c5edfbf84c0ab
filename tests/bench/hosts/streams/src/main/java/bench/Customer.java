package bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** A customer's record, kept as JSON. Times are epoch milliseconds. */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public final class Customer {
  static final long NEVER = Long.MAX_VALUE;
  private static final int REMEMBERED = 32;
  private static final int VIEWS = 512;
  private static final long VIEWS_WITHIN = 30 * Rules.DAY;

  /** A message of a trigger that waits. */
  public static final class Step {
    public String trigger, family, key, eventId;
    public int number, priority;
    public long anchor, due, fire, expires;
  }

  /** A marketing message that went out, or would have to a held-out customer. */
  public static final class Sent {
    public String family, trigger, key;
    public long anchor, at;
  }

  public String id;
  public Map<String, String> profile = new HashMap<>();
  public Map<String, Boolean> consent = new HashMap<>();
  /** Hashes of the last event ids. */
  public List<Long> seen = new ArrayList<>();
  public Map<String, Integer> counts = new HashMap<>();
  public double spend;
  public List<Long> views = new ArrayList<>();
  public List<Step> steps = new ArrayList<>();
  public List<Sent> sends = new ArrayList<>();

  /** False when the event is a duplicate. */
  boolean remember(String eventId) {
    long hash = hash(eventId);
    if (seen.contains(hash)) {
      return false;
    }
    seen.add(hash);
    if (seen.size() > REMEMBERED) {
      seen.remove(0);
    }
    return true;
  }

  int count(String type) {
    return counts.merge(type, 1, Integer::sum);
  }

  void view(long at) {
    views.add(at);
    while (views.size() > VIEWS || views.get(0) <= at - VIEWS_WITHIN) {
      views.remove(0);
    }
  }

  /** Ends what is open of a trigger: of one key, or all of it where the key is null. */
  void cancel(String trigger, String key, long occurredAt) {
    steps.removeIf(
        step ->
            step.trigger.equals(trigger)
                && (key == null || step.key.equals(key))
                && step.anchor <= occurredAt);
  }

  boolean hasLaterAnchor(String trigger, String key, long anchor) {
    for (Step step : steps) {
      if (step.trigger.equals(trigger) && step.key.equals(key) && step.anchor >= anchor) {
        return true;
      }
    }
    return false;
  }

  long nextFire() {
    long next = NEVER;
    for (Step step : steps) {
      next = Math.min(next, step.fire);
    }
    return next;
  }

  void forgetSendsBefore(long time) {
    for (Iterator<Sent> each = sends.iterator(); each.hasNext(); ) {
      if (each.next().at <= time) {
        each.remove();
      }
    }
  }

  private static long hash(String text) {
    long hash = 0xcbf29ce484222325L;
    for (int at = 0; at < text.length(); at++) {
      hash = (hash ^ text.charAt(at)) * 0x100000001b3L;
    }
    return hash;
  }
}
