import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's Java client as it is by default. {@code publish SERVERS TOPIC} sends lines of key and
 * value (base64) from standard input; {@code read SERVERS TOPIC COUNT} prints so many committed
 * records the same way, partition first.
 */
public final class Client {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("publish")) {
            publish(args[1], args[2]);
        } else {
            read(args[1], args[2], Integer.parseInt(args[3]));
        }
    }

    private static void publish(String servers, String topic) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", servers);
        var bytes = new ByteArraySerializer();
        var lines = new BufferedReader(new InputStreamReader(System.in));
        try (var producer = new KafkaProducer<byte[], byte[]>(config, bytes, bytes)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t");
                byte[] key = Base64.getDecoder().decode(parts[0]);
                byte[] value = Base64.getDecoder().decode(parts[1]);
                producer.send(new ProducerRecord<>(topic, key, value)).get();
            }
        }
    }

    private static void read(String servers, String topic, int count) {
        Map<String, Object> config = Map.of(
                "bootstrap.servers", servers,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false");
        var bytes = new ByteArrayDeserializer();
        int left = count;
        try (var consumer = new KafkaConsumer<byte[], byte[]>(config, bytes, bytes)) {
            consumer.assign(consumer.partitionsFor(topic).stream()
                    .map(each -> new TopicPartition(topic, each.partition())).toList());
            while (left > 0) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    if (left-- > 0) {
                        Base64.Encoder encoder = Base64.getEncoder();
                        System.out.println(record.partition() + "\t"
                                + encoder.encodeToString(record.key()) + "\t"
                                + encoder.encodeToString(record.value()));
                    }
                }
            }
        }
    }
}
