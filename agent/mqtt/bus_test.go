package mqtt

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestConfigIsChecked(t *testing.T) {
	good := func() Config { return Config{Brokers: []string{"mqtt://host"}, ClientID: "g"} }
	tests := []struct {
		name  string
		spoil func(*Config)
		want  string
	}{
		{"no broker", func(c *Config) { c.Brokers = nil }, "no broker"},
		{"no id", func(c *Config) { c.ClientID = "" }, "client id"},
		{"long id", func(c *Config) { c.ClientID = strings.Repeat("x", 65536) }, "client id"},
		{"no scheme", func(c *Config) { c.Brokers[0] = "host:1883" }, "mqtt://host:port"},
		{"encrypted", func(c *Config) { c.Brokers[0] = "mqtts://host" }, "there are no certificates"},
		{"another word for TLS", func(c *Config) { c.Brokers[0] = "ssl://host" }, "mqtts://host:port for TLS"},
		{"no host", func(c *Config) { c.Brokers[0] = "mqtt://:1883" }, "no host"},
		{"port 0", func(c *Config) { c.Brokers[0] = "mqtt://host:0" }, `port "0"`},
		{"port 65536", func(c *Config) { c.Brokers[0] = "mqtt://host:65536" }, `port "65536"`},
		{"password", func(c *Config) { c.Brokers[0] = "mqtt://u:secret@host" }, "u:xxxxx@host"},
		{"path", func(c *Config) { c.Brokers[0] = "mqtt://host/path" }, "only host and port"},
		{"control", func(c *Config) { c.Brokers[0] = "mqtt://ho\x00st" }, "write mqtt://host:port"},
		{"second broker", func(c *Config) { c.Brokers = append(c.Brokers, "tcp://x") }, `"tcp"`},
		{"empty filter", func(c *Config) { c.Filters = []string{""} }, "filter"},
		{"# in the middle", func(c *Config) { c.Filters = []string{"a/#/b"} }, "only in the last"},
		{"+ beside text", func(c *Config) { c.Filters = []string{"a/b+"} }, "stand alone"},
		{"will topic", func(c *Config) { c.Will = &Message{Topic: "a/+"} }, "will"},
		{"will size", func(c *Config) { c.Will = &Message{Topic: "a", Payload: make([]byte, 65536)} }, "payload too large"},
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		c := good()
		tt.spoil(&c)
		_, err := New(c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"mqtt://host":      "host:1883",
		"mqtt://host:77/":  "host:77",
		"mqtt://[::1]":     "[::1]:1883",
		"mqtt://10.0.0.5/": "10.0.0.5:1883",
		"mqtts://host":     "host:8883",
	} {
		if b, err := parseBroker(text); err != nil || b.address != want {
			t.Errorf("%s: %s, %v; want %s", text, b.address, err, want)
		}
	}
}

func TestWait(t *testing.T) {
	least := func(int64) int64 { return 0 }
	most := func(n int64) int64 { return n - 1 }
	if d := wait(0, most); d != 0 {
		t.Errorf("before the first attempt: %v", d)
	}
	ceiling := []time.Duration{0, 200, 300, 500, 900, 1700, 3300, 5000, 5000}
	for n := 1; n < len(ceiling); n++ {
		if d := wait(n, least); d != shortestWait {
			t.Errorf("%d failures: at least %v", n, d)
		}
		if d := wait(n, most) + 1; d != ceiling[n]*time.Millisecond {
			t.Errorf("%d failures: below %v, want %v", n, d, ceiling[n]*time.Millisecond)
		}
	}
	if d := wait(1<<40, most); d >= longestWait {
		t.Errorf("after very many failures: %v", d)
	}
}

// A dead network makes one report, not one per attempt, and few attempts.
func TestDeadNetworkMakesNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		g := startGateway(t, Config{
			Brokers: []string{"mqtt://one", "mqtt://two"},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				return nil, errors.New("network is unreachable")
			},
		})
		time.Sleep(time.Hour)
		if s := g.await(t, false); !strings.Contains(s.Err.Error(), "one") || !strings.Contains(s.Err.Error(), "two") {
			t.Errorf("reason %v does not name both brokers", s.Err)
		}
		g.stop()
		if len(g.states) > 0 {
			t.Errorf("one more state: %+v", <-g.states)
		}
		// An hour holds 720 of the longest pauses; the jitter about doubles that.
		if n := dials.Load() / 2; n < 720 || n > 2000 {
			t.Errorf("%d rounds of attempts in an hour", n)
		}
		if err := g.Run(t.Context()); !errors.Is(err, ErrRan) {
			t.Errorf("second Run: %v", err)
		}
		if _, open := <-g.Messages(); open {
			t.Error("messages are open after Run")
		}
	})
}

// A host that swallows packets must not keep the bus from the next broker, nor
// from its end.
func TestSilentHostIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		g := startGateway(t, Config{Brokers: []string{"mqtt://silent"}, Dial: p.dial})
		far, err := p.Accept() // reads nothing, says nothing
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s := g.await(t, false)
		if took := time.Since(began); took > connectTimeout || !strings.Contains(s.Err.Error(), "no answer within") {
			t.Errorf("gave up after %v: %v", took, s.Err)
		}
		_ = far.Close()
		again, err := p.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		began = time.Now()
		g.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("stop took %v", took)
		}
	})
}

// scripted starts a bus with one filter and plays its broker up to the SUBACK.
func scripted(t *testing.T, config Config) (*gateway, wire, *pipes) {
	t.Helper()
	p := newPipes()
	config.Brokers, config.Filters, config.Dial = []string{"mqtt://scripted"}, []string{"plant/#"}, p.dial
	g := startGateway(t, config)
	return g, accept(t, p), p
}

// accept plays a broker up to the SUBACK.
func accept(t *testing.T, p *pipes) wire {
	t.Helper()
	conn, err := p.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := wire{t, conn}
	hello := read[*packets.ConnectPacket](w)
	if hello.ProtocolVersion != 4 || !hello.CleanSession || hello.Keepalive != 10 {
		t.Errorf("connect %+v", hello)
	}
	w.send(packets.NewControlPacket(packets.Connack))
	sub := read[*packets.SubscribePacket](w)
	if sub.Qoss[0] != 1 || sub.Topics[0] != "plant/#" {
		t.Errorf("subscribe %+v", sub)
	}
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID, ack.ReturnCodes = sub.MessageID, []byte{1}
	w.send(ack)
	return w
}

func TestStalledBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _, _ := scripted(t, Config{})
		g.await(t, true)
		began := time.Now()
		err := g.Publish(t.Context(), "plant/x", false, nil)
		if took := time.Since(began); !errors.Is(err, ErrUnacknowledged) || took > publishTimeout {
			t.Errorf("publish returned %v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began = time.Now()
		err = g.Publish(ctx, "plant/x", false, nil)
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("publish returned %v after %v, its context allowed 10ms", err, took)
		}
		if s := g.await(t, false); s.Err == nil || time.Since(began) > keepAlive+2*pingTimeout {
			t.Errorf("loss seen after %v: %v", time.Since(began), s.Err)
		}
	})
}

func TestStopAtStalledBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _, _ := scripted(t, Config{})
		g.await(t, true)
		for range 3 {
			go func() { _ = g.Publish(t.Context(), "plant/x", false, make([]byte, 1000)) }()
		}
		synctest.Wait()
		began := time.Now()
		g.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("stop took %v", took)
		}
		if s := g.await(t, false); s.Err != nil {
			t.Errorf("stop reported %v", s.Err)
		}
		if err := g.Publish(t.Context(), "plant/x", false, nil); !errors.Is(err, ErrOffline) {
			t.Errorf("publish after stop: %v", err)
		}
	})
}

// A broker that answers pings and acknowledges nothing is as good as gone.
func TestBrokerThatAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w, p := scripted(t, Config{})
		g.await(t, true)
		go func() {
			for {
				got, err := packets.ReadPacket(w.conn)
				if err != nil {
					return
				}
				if _, ping := got.(*packets.PingreqPacket); ping {
					w.send(packets.NewControlPacket(packets.Pingresp))
				}
			}
		}()
		for range unacknowledgedLimit {
			if err := g.Publish(t.Context(), "plant/x", false, nil); !errors.Is(err, ErrUnacknowledged) {
				t.Errorf("publish: %v", err)
			}
		}
		if s := g.await(t, false); !errors.Is(s.Err, ErrUnacknowledged) {
			t.Errorf("loss reported as %v", s.Err)
		}
		accept(t, p)
		g.await(t, true)
	})
}

// Two gateways with one id end each other's connections; that must not become
// a storm.
func TestShortConnectionsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w, p := scripted(t, Config{Jitter: func(n int64) int64 { return n - 1 }})
		last := time.Now()
		for i := range 10 {
			g.await(t, true)
			_ = w.conn.Close()
			g.await(t, false)
			w = accept(t, p)
			pause := time.Since(last)
			last = time.Now()
			if i > 6 && pause < longestWait-time.Second {
				t.Errorf("connection %d came after %v", i, pause)
			}
		}
	})
}

func TestHostileBroker(t *testing.T) {
	suback := func(id uint16, codes ...byte) packets.ControlPacket {
		p := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		p.MessageID, p.ReturnCodes = id, codes
		return p
	}
	ends := map[string]packets.ControlPacket{
		"QoS 2":           publication("plant/x", 2, 1, nil),
		"many answers":    suback(1, 1, 1, 1, 1),
		"an unsuback":     packets.NewControlPacket(packets.Unsuback),
		"a connect":       packets.NewControlPacket(packets.Connect),
		"a goodbye":       packets.NewControlPacket(packets.Disconnect),
		"a short publish": publication("", 0, 0, nil),
	}
	for name, packet := range ends {
		synctest.Test(t, func(t *testing.T) {
			g, w, p := scripted(t, Config{})
			g.await(t, true)
			if name == "a short publish" {
				_, _ = w.conn.Write([]byte{0x32, 3, 0xff, 0xff, 'x'})
			} else {
				w.send(packet)
			}
			if s := g.await(t, false); s.Err == nil {
				t.Errorf("%s: no reason", name)
			}
			accept(t, p)
			g.await(t, true)
		})
	}
}

func TestRefusedSubscription(t *testing.T) {
	for _, tt := range []struct {
		codes []byte
		want  string
	}{
		{[]byte{0x80}, `refused the subscription to "plant/#"`},
		{[]byte{1, 1, 1}, "5 bytes where 3 are due"},
		{nil, "2 bytes where 3 are due"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			g := startGateway(t, Config{Brokers: []string{"mqtt://strict"}, Filters: []string{"plant/#"}, Dial: p.dial})
			conn, err := p.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			w := wire{t, conn}
			read[*packets.ConnectPacket](w)
			w.send(packets.NewControlPacket(packets.Connack))
			sub := read[*packets.SubscribePacket](w)
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = sub.MessageID, tt.codes
			go func() { _ = ack.Write(conn); _, _ = io.Copy(io.Discard, conn) }()
			if s := g.await(t, false); !strings.Contains(s.Err.Error(), tt.want) {
				t.Errorf("answers %x reported as %v, want %q", tt.codes, s.Err, tt.want)
			}
		})
	}
}

// A packet of 256 MiB costs the bus no memory and the broker no connection.
func TestHugePacketIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w, _ := scripted(t, Config{MaxPayload: 1 << 10})
		g.await(t, true)
		const total = 1<<28 - 1
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		head := appendLength([]byte{0x32}, total)
		head = append(head, 0, 7)
		head = append(head, "plant/x"...)
		head = append(head, 0, 9)
		if _, err := w.conn.Write(head); err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, 1<<20)
		go func() {
			for left := total - 11; left > 0; {
				n, err := w.conn.Write(chunk[:min(left, len(chunk))])
				if err != nil {
					t.Error(err)
					return
				}
				left -= n
			}
			w.send(publication("plant/\xff", 0, 0, nil))
			w.send(publication("plant/small", 0, 0, []byte("fits")))
		}()
		if ack := read[*packets.PubackPacket](w); ack.MessageID != 9 {
			t.Errorf("acknowledged %v", ack)
		}
		if m := g.receive(t); m.Topic != "plant/small" || string(m.Payload) != "fits" {
			t.Errorf("got %+v", m)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 32<<20 {
			t.Errorf("allocated %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if s := g.Stats(); s.Refused != 2 || s.Received != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}
