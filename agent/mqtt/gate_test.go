package mqtt

import (
	"bytes"
	"io"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// FuzzGate: whatever a broker sends, the client library reads what passes the
// gate without a panic, and never a packet larger than the limits.
func FuzzGate(f *testing.F) {
	var good bytes.Buffer
	_ = packets.NewControlPacket(packets.Connack).Write(&good)
	_ = publication("plant/x", 1, 7, []byte("payload")).Write(&good)
	_ = packets.NewControlPacket(packets.Pingresp).Write(&good)
	f.Add(good.Bytes())
	f.Add([]byte{0x90, 4, 0, 1, 1, 0x80})             // SUBACK for two filters
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})       // 256 MiB to come
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}) // five bytes of length
	f.Add([]byte{0x34, 0})                            // QoS 2
	f.Add([]byte{0xe0, 0})                            // goodbye
	f.Add([]byte{0x32, 3, 0xff, 0xff, 'x'})           // topic longer than its packet
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxPayload, filters = 8, 2
		g := newGate(bytes.NewReader(data), maxPayload, filters)
		for {
			p, err := packets.ReadPacket(g)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.PublishPacket:
				if p.Qos > 1 || p.RemainingLength > g.limit {
					t.Fatalf("passed %v", p)
				}
			case *packets.SubackPacket:
				if len(p.ReturnCodes) != filters {
					t.Fatalf("passed %d answers", len(p.ReturnCodes))
				}
			case *packets.ConnackPacket, *packets.PubackPacket, *packets.PingrespPacket:
			default:
				t.Fatalf("passed %T", p)
			}
		}
	})
}

func TestGatePassesAndCuts(t *testing.T) {
	const maxPayload = 100
	for _, n := range []int{0, 99, 100, 101, 65536 + 200, 1 << 20} {
		var in bytes.Buffer
		payload := bytes.Repeat([]byte("x"), n)
		for range 2 {
			_ = publication("plant/x", 1, 7, payload).Write(&in)
		}
		g := newGate(&in, maxPayload, 1)
		for range 2 {
			p, err := packets.ReadPacket(g)
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			got := p.(*packets.PublishPacket)
			if got.MessageID != 7 || got.TopicName != "plant/x" || (len(got.Payload) > maxPayload) != (n > maxPayload) {
				t.Errorf("%d bytes came out as %d", n, len(got.Payload))
			}
			if len(got.Payload) > topicLimit+maxPayload+5 {
				t.Errorf("%d bytes were held", len(got.Payload))
			}
		}
		if _, err := packets.ReadPacket(g); err != io.EOF {
			t.Errorf("end: %v", err)
		}
	}
}
