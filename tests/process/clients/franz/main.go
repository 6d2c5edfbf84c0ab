// franz-go as it is by default. `publish SERVERS TOPIC` sends lines of key and value (base64) from
// standard input; `read SERVERS TOPIC COUNT` prints so many committed records the same way,
// partition first.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func decoded(part string) []byte {
	text, err := base64.StdEncoding.DecodeString(part)
	must(err)
	return text
}

func publish(servers []string, topic string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers...))
	must(err)
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		record := &kgo.Record{Topic: topic, Key: decoded(parts[0]), Value: decoded(parts[1])}
		must(client.ProduceSync(context.Background(), record).FirstErr())
	}
}

func read(servers []string, topic string, count int) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(servers...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	must(err)
	defer client.Close()
	for count > 0 {
		fetches := client.PollFetches(context.Background())
		must(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			if count > 0 {
				key := base64.StdEncoding.EncodeToString(record.Key)
				value := base64.StdEncoding.EncodeToString(record.Value)
				fmt.Printf("%d\t%s\t%s\n", record.Partition, key, value)
			}
			count--
		})
	}
}

func main() {
	servers, topic := strings.Split(os.Args[2], ","), os.Args[3]
	if os.Args[1] == "publish" {
		publish(servers, topic)
		return
	}
	count, err := strconv.Atoi(os.Args[4])
	must(err)
	read(servers, topic, count)
}
