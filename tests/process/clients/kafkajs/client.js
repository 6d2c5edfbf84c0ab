// kafkajs as it is by default. `publish SERVERS TOPIC` sends lines of key and value (base64) from
// standard input; `read SERVERS TOPIC COUNT` prints so many records the same way, partition first.
const { Kafka, logLevel } = require("kafkajs")

const [, , job, servers, topic, count] = process.argv
const kafka = new Kafka({ clientId: "test", brokers: servers.split(","), logLevel: logLevel.ERROR })
const text = (part) => Buffer.from(part, "base64")

async function publish() {
  const lines = require("fs").readFileSync(0, "ascii").split("\n").filter(Boolean)
  const messages = lines.map((line) => line.split("\t"))
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({
    topic,
    messages: messages.map(([key, value]) => ({ key: text(key), value: text(value) })),
  })
  await producer.disconnect()
}

async function read() {
  const consumer = kafka.consumer({ groupId: `kafkajs-${topic}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let left = Number(count)
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error))
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (left-- <= 0) return
        const parts = [partition, message.key.toString("base64"), message.value.toString("base64")]
        console.log(parts.join("\t"))
        if (left === 0) resolve()
      },
    })
  })
  await consumer.disconnect()
}

const jobs = { publish, read }
jobs[job]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1) })
