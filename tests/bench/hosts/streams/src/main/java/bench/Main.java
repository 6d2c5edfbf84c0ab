package bench;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The Kafka Streams host: runs the job in its only argument until it is stopped. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    ObjectMapper json = new ObjectMapper();
    JsonNode job = json.readTree(args[0]);
    KafkaStreams streams = new KafkaStreams(topology(job), settings(job));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static Topology topology(JsonNode job) {
    ObjectMapper json = new ObjectMapper();
    json.setVisibility(PropertyAccessor.ALL, JsonAutoDetect.Visibility.NONE);
    json.setVisibility(PropertyAccessor.FIELD, JsonAutoDetect.Visibility.PUBLIC_ONLY);
    List<String> inputs = new ArrayList<>();
    job.get("inputs").forEach(name -> inputs.add(name.asText()));
    StoreBuilder<KeyValueStore<String, byte[]>> customers =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(CustomerProcessor.STORE),
                Serdes.String(),
                Serdes.ByteArray())
            .withCachingEnabled();
    StringSerializer keys = new StringSerializer();
    ByteArraySerializer values = new ByteArraySerializer();
    return new Topology()
        .addSource(
            "inputs",
            new StringDeserializer(),
            new ByteArrayDeserializer(),
            inputs.toArray(String[]::new))
        .addProcessor("decide", () -> new CustomerProcessor(json), "inputs")
        .addStateStore(customers, "decide")
        .addSink(
            CustomerProcessor.DISPATCH, job.get("dispatch").asText(), keys, values, "decide")
        .addSink(
            CustomerProcessor.DECISIONS, job.get("decisions").asText(), keys, values, "decide");
  }

  private static Properties settings(JsonNode job) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.get("group").asText());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.get("bootstrap_servers").asText());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, job.get("folder").asText());
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(
        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG,
        (long) (job.get("commit_interval_s").asDouble() * 1000));
    settings.put(
        StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(
        StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), job.get("acks").asText());
    settings.put(
        StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG),
        job.get("compression").asText());
    settings.put(
        StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG),
        job.get("linger_ms").asText());
    return settings;
  }
}
