package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestListenOnTakenPort(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(t.Context(), l.Addr().String()); !errors.Is(err, ErrAddressInUse) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("taken port: %v", err)
	}
	if _, err := Listen(t.Context(), "nonsense"); err == nil || errors.Is(err, ErrAddressInUse) {
		t.Errorf("no port: %v", err)
	}
}

// served runs a broker over pipes.
func served(t *testing.T, config BrokerConfig) (p *pipes, stop func()) {
	p = newPipes()
	return p, runBroker(t, p, config)
}

func (p *pipes) client(t *testing.T) wire {
	t.Helper()
	conn, err := p.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return wire{t, conn}
}

func (w wire) ends(what string) {
	w.t.Helper()
	if n, err := io.Copy(io.Discard, w.conn); err != nil && !errors.Is(err, net.ErrClosed) {
		w.t.Errorf("%s: %d bytes, then %v", what, n, err)
	}
}

func TestSilentClientIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{})
		began := time.Now()
		p.client(t).ends("a client without CONNECT")
		if took := time.Since(began); took > helloTimeout+time.Second {
			t.Errorf("cut after %v", took)
		}
		stop()
	})
}

func TestTooManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{Clients: 2})
		for i := range 2 {
			p.client(t).hello(fmt.Sprint(i))
		}
		third := p.client(t)
		connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
		connect.ProtocolName, connect.ProtocolVersion, connect.CleanSession, connect.ClientIdentifier = "MQTT", 4, true, "2"
		third.send(connect)
		if ack := read[*packets.ConnackPacket](third); ack.ReturnCode != packets.ErrRefusedServerUnavailable {
			t.Errorf("third client: %v", ack)
		}
		third.ends("third client")
		for range spare {
			p.client(t)
		}
		p.client(t).ends("a connection beyond the spare ones")
		stop()
	})
}

// stall subscribes over TCP, reads nothing further, and is sent messages until
// its sockets are full.
func stall(t *testing.T, config BrokerConfig) (from *gateway, stalled wire, stop func()) {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop = runBroker(t, l, config)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	stalled = wire{t, conn}
	stalled.hello("stalled")
	stalled.subscribe("plant/#")
	from = connected(t, l.Addr().String(), "from", "plant/last")
	for range 200 {
		from.publish(t, "plant/x", false, strings.Repeat("x", 64<<10))
	}
	return from, stalled, stop
}

// A subscriber that reads nothing is cut, and the others go on: the broker
// gives out packet ids under the lock that its stalled write holds.
func TestStalledSubscriberIsCut(t *testing.T) {
	from, stalled, _ := stall(t, BrokerConfig{WriteTimeout: 100 * time.Millisecond})
	from.publish(t, "plant/last", false, "news")
	if m := from.receive(t); string(m.Payload) != "news" {
		t.Errorf("got %+v", m)
	}
	eventually(t, "the stalled subscriber is cut", func() bool {
		_, err := stalled.conn.Write([]byte{0xc0, 0})
		return err != nil
	})
	if len(from.states) > 0 {
		t.Errorf("the publisher lost its connection: %+v", <-from.states)
	}
}

func TestOversizePacketEndsItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{MaxPayload: 1000})
		w := p.client(t)
		w.hello("w")
		go func() { _ = publication("plant/x", 1, 1, make([]byte, 70000)).Write(w.conn) }()
		w.ends("client with an oversize packet")
		stop()
	})
}

func TestSubscriptionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{Subscriptions: 2})
		w := p.client(t)
		w.hello("w")
		if got := w.subscribe("a", "b", "c"); !bytes.Equal(got, []byte{1, 1, 0x80}) {
			t.Errorf("answers %x", got)
		}
		if got := w.subscribe("b", "d"); !bytes.Equal(got, []byte{1, 0x80}) {
			t.Errorf("answers %x", got)
		}
		stop()
	})
}

func TestShelf(t *testing.T) {
	s := &shelf{topics: 2, bytes: 20, held: make(map[string]int)}
	steps := []struct {
		topic   string
		payload int
		fits    bool
	}{
		{"a", 9, true},
		{"b", 9, true},  // 20 of 20 bytes
		{"c", 1, false}, // no room
		{"a", 10, false},
		{"a", 4, true},
		{"c", 1, false}, // bytes but no topic
		{"b", 0, true},
		{"b", 0, true},
		{"c", 14, true},
		{"d", 0, true},
		{"d", 1, false},
	}
	for i, step := range steps {
		if got := s.put(step.topic, step.payload); got != step.fits {
			t.Errorf("step %d, %s of %d bytes: %v", i, step.topic, step.payload, got)
		}
	}
	if s.topics != 0 || s.bytes != 0 || len(s.held) != 2 {
		t.Errorf("account %+v", s)
	}
}

// A message without room on the shelf is delivered and acknowledged all the
// same.
func TestRetainedBeyondTheShelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{Retained: 1})
		w := p.client(t)
		w.hello("w")
		w.subscribe("plant/#")
		for i, topic := range []string{"plant/a", "plant/b"} {
			m := publication(topic, 1, uint16(i+1), []byte("kept?"))
			m.Retain = true
			w.send(m)
			read[*packets.PubackPacket](w)
			read[*packets.PublishPacket](w)
		}
		late := p.client(t)
		late.hello("late")
		late.subscribe("plant/#")
		if m := read[*packets.PublishPacket](late); m.TopicName != "plant/a" || !m.Retain {
			t.Errorf("late subscriber got %v", m)
		}
		late.send(packets.NewControlPacket(packets.Pingreq))
		read[*packets.PingrespPacket](late)
		stop()
	})
}

func TestSessionsEndWithTheirConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, BrokerConfig{})
		for range 2 {
			w := p.client(t)
			connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
			connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier = "MQTT", 4, "lasting"
			w.send(connect)
			if ack := read[*packets.ConnackPacket](w); ack.ReturnCode != 0 || ack.SessionPresent {
				t.Errorf("connack %v", ack)
			}
			w.subscribe("plant/#")
			_ = w.conn.Close()
			synctest.Wait()
		}
		stop()
	})
}

func TestStopWithStalledClients(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := runBroker(t, l, BrokerConfig{WriteTimeout: time.Hour})
	dial := func() wire {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return wire{t, conn}
	}
	dial() // in its handshake
	for i := range 10 {
		w := dial()
		w.hello(fmt.Sprint(i))
		w.subscribe("plant/#")
	}
	from := dial()
	from.hello("from")
	_ = from.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for i := range 400 { // until the broker itself stands still
		if err := publication("plant/x", 1, uint16(i+1), make([]byte, 64<<10)).Write(from.conn); err != nil {
			break
		}
	}
	stop()
}

func TestBrokerPanicCostsOneConnection(t *testing.T) {
	err := converse(func(string, net.Conn) error { panic("parser") }, "door", nil)
	if err == nil || !strings.Contains(err.Error(), "parser") {
		t.Errorf("got %v", err)
	}
}

func TestBrokerLog(t *testing.T) {
	var out bytes.Buffer
	handler := newBrokerLog(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	start := time.Unix(1000, 0)
	say := func(after time.Duration, level slog.Level, what string) string {
		out.Reset()
		r := slog.NewRecord(start.Add(after), level, what, 0)
		r.AddAttrs(slog.String("client", "c"), slog.String("pk", "payload"))
		if err := handler.WithAttrs([]slog.Attr{slog.String("listener", "door")}).Handle(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := say(0, slog.LevelInfo, "started"); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "what=started") {
		t.Errorf("news: %s", got)
	}
	got := say(0, slog.LevelError, "quota")
	if !strings.Contains(got, "level=WARN") || strings.Contains(got, "payload") || !strings.Contains(got, "listener=door") {
		t.Errorf("warning: %s", got)
	}
	for range 3 {
		if got := say(time.Second, slog.LevelWarn, "quota"); got != "" {
			t.Errorf("repeated: %s", got)
		}
	}
	if got := say(time.Hour, slog.LevelWarn, "quota"); !strings.Contains(got, "repeated=3") {
		t.Errorf("after an hour: %s", got)
	}
	for i := range 2 * warningKinds {
		say(0, slog.LevelWarn, fmt.Sprint(i))
	}
	if n := len(handler.seen.kinds); n != warningKinds {
		t.Errorf("%d kinds of warnings remembered", n)
	}
}
