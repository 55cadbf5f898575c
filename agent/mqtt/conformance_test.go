package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDelivery(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := k.up(t)
		a := connected(t, address, "a")
		b := connected(t, address, "b", "plant/block/+", "plant/ask/#", "plant/roster")
		sizes := []int{0, 1, 400, 64 << 10, DefaultMaxPayload}
		for _, n := range sizes {
			payload := bytes.Repeat([]byte{0, 0xff, 'x'}, n/3+1)[:n]
			if err := a.Publish(t.Context(), "plant/block/a", false, payload); err != nil {
				t.Fatal(err)
			}
			got := b.receive(t)
			if got.Topic != "plant/block/a" || got.Retained || !bytes.Equal(got.Payload, payload) {
				t.Errorf("%d bytes: got %d on %s, retained %v", n, len(got.Payload), got.Topic, got.Retained)
			}
		}
		want := map[string]bool{"plant/block/x": true, "plant/ask": true, "plant/ask/b/c": true, "plant/roster": true}
		for _, topic := range []string{"plant/block/x/y", "plant/give/b", "plant/rosters"} {
			a.publish(t, topic, false, "not for b")
		}
		for topic := range want {
			a.publish(t, topic, false, "for b")
		}
		got := make(map[string]bool)
		for range want {
			got[b.receive(t).Topic] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("filters let through %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		if s := a.Stats(); s.Published != uint64(len(sizes)+3+len(want)) || s.Connects != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRetained(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := k.up(t)
		a := connected(t, address, "a")
		a.publish(t, "plant/status/a", true, "old")
		a.publish(t, "plant/status/a", true, "new")
		a.publish(t, "plant/status/b", true, "gone")
		a.publish(t, "plant/status/b", true, "")
		late := connected(t, address, "late", "plant/status/+")
		// The embedded broker acknowledges before it hands on: the message that
		// cleared b may still come, marked as a new one.
		next := func() Message {
			m := late.receive(t)
			for m.Topic == "plant/status/b" && len(m.Payload) == 0 && !m.Retained {
				m = late.receive(t)
			}
			return m
		}
		if m := next(); m.Topic != "plant/status/a" || string(m.Payload) != "new" || !m.Retained {
			t.Errorf("late subscriber got %+v", m)
		}
		a.publish(t, "plant/status/a", true, "newest")
		if m := next(); string(m.Payload) != "newest" || m.Retained {
			t.Errorf("subscriber got %+v, want it not marked as retained", m)
		}
	})
}

func TestWill(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := k.up(t)
		watcher := connected(t, address, "watcher", "plant/status/#")
		line := newCable(t, address)
		will := func(id string) *Message {
			return &Message{Topic: "plant/status/" + id, Payload: []byte("lost"), Retained: true}
		}
		polite := startGateway(t, Config{Brokers: []string{"mqtt://" + address}, ClientID: "polite", Will: will("polite")})
		polite.await(t, true)
		polite.stop()
		if s := polite.await(t, false); s.Err != nil {
			t.Errorf("orderly stop reported %v", s.Err)
		}
		lost := startGateway(t, Config{Brokers: []string{"mqtt://" + line.address()}, ClientID: "lost", Will: will("lost")})
		lost.await(t, true)
		line.cut()
		if s := lost.await(t, false); s.Err == nil || s.Broker == "" {
			t.Errorf("loss reported as %+v", s)
		}
		if m := watcher.receive(t); m.Topic != "plant/status/lost" || string(m.Payload) != "lost" {
			t.Errorf("will %+v, want only that of the lost gateway", m)
		}
		late := connected(t, address, "late", "plant/status/#")
		if m := late.receive(t); m.Topic != "plant/status/lost" || !m.Retained {
			t.Errorf("retained will %+v", m)
		}
	})
}

func TestBrokerRestart(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := freeAddress(t)
		stop := k.start(t, address)
		g := connected(t, address, "g", "plant/#")
		stop()
		g.await(t, false)
		if err := g.Publish(t.Context(), "plant/x", false, nil); !errors.Is(err, ErrOffline) {
			t.Errorf("publish while offline: %v", err)
		}
		k.start(t, address)
		g.await(t, true)
		g.publish(t, "plant/x", false, "subscribed again")
		if m := g.receive(t); string(m.Payload) != "subscribed again" {
			t.Errorf("got %+v", m)
		}
		g.stop()
		g.await(t, false)
		if len(g.states) > 0 {
			t.Errorf("one more state: %+v", <-g.states)
		}
	})
}

func TestStartBeforeBroker(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := freeAddress(t)
		g := startGateway(t, Config{Brokers: []string{"mqtt://" + address}, Filters: []string{"#"}})
		if s := g.await(t, false); s.Err == nil || !strings.Contains(s.Err.Error(), address) {
			t.Errorf("unreachable broker reported as %+v", s)
		}
		k.start(t, address)
		g.await(t, true)
		g.publish(t, "plant/x", false, "")
		g.receive(t)
	})
}

func TestFailOverAndBack(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		home, away := k.up(t), k.up(t)
		line := newCable(t, home)
		g := startGateway(t, Config{
			Brokers:      []string{"mqtt://" + line.address(), "mqtt://" + away},
			Filters:      []string{"plant/#"},
			HomeInterval: 20 * time.Millisecond,
		})
		g.await(t, true)
		line.cut()
		g.await(t, false)
		if s := g.await(t, true); s.Broker != "mqtt://"+away {
			t.Fatalf("connected to %s, want %s", s.Broker, away)
		}
		there := connected(t, away, "there")
		there.publish(t, "plant/x", false, "away")
		g.receive(t)
		line.mend()
		if s := g.await(t, true); s.Broker != "mqtt://"+line.address() {
			t.Fatalf("connected to %s, want home %s", s.Broker, line.address())
		}
		here := connected(t, home, "here")
		here.publish(t, "plant/x", false, "home")
		if m := g.receive(t); string(m.Payload) != "home" {
			t.Errorf("got %+v at home", m)
		}
	})
}

// A consumer that takes nothing must cost neither memory nor the connection.
func TestFloodIsBounded(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := k.up(t)
		const sent, room = 600, 10
		g := startGateway(t, Config{Brokers: []string{"mqtt://" + address}, ClientID: "slow", Filters: []string{"plant/#"}, Queue: room})
		g.await(t, true)
		a := connected(t, address, "a")
		var senders sync.WaitGroup
		for i := range 4 {
			senders.Go(func() {
				for j := range sent / 4 {
					if err := a.Publish(t.Context(), fmt.Sprintf("plant/%d/%d", i, j), false, make([]byte, 2000)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		eventually(t, "all messages arrived", func() bool { return g.Stats().Received == sent })
		// One more than the queue holds may wait at the channel.
		if s := g.Stats(); s.Dropped < sent-room-1 || s.Dropped > sent-room {
			t.Errorf("dropped %d of %d with room for %d", s.Dropped, sent, room)
		}
		if len(g.states) > 0 {
			t.Errorf("the flood ended the connection: %+v", <-g.states)
		}
		g.receive(t)
	})
}

func TestOversizeMessageIsRefusedAndAcknowledged(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		address := k.up(t)
		g := startGateway(t, Config{Brokers: []string{"mqtt://" + address}, ClientID: "small", Filters: []string{"plant/#"}, MaxPayload: 1000})
		g.await(t, true)
		a := connected(t, address, "a")
		for i := range 50 {
			a.publish(t, "plant/big", false, strings.Repeat("x", 1001+i*2500))
		}
		a.publish(t, "plant/fits", false, strings.Repeat("x", 1000))
		if m := g.receive(t); m.Topic != "plant/fits" {
			t.Errorf("got %s of %d bytes", m.Topic, len(m.Payload))
		}
		eventually(t, "all refused", func() bool { return g.Stats().Refused == 50 })
		if err := g.Publish(t.Context(), "plant/x", false, make([]byte, 1001)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("publish of too large a payload: %v", err)
		}
		if len(g.states) > 0 {
			t.Errorf("an oversize message ended the connection: %+v", <-g.states)
		}
	})
}

func TestLongestTopic(t *testing.T) {
	overBrokers(t, func(t *testing.T, k kind) {
		g := connected(t, k.up(t), "g", "plant/#")
		topic := "plant/" + strings.Repeat("x", 60000)
		g.publish(t, topic, false, "long")
		if m := g.receive(t); m.Topic != topic {
			t.Errorf("topic of %d bytes came back with %d", len(topic), len(m.Topic))
		}
		for _, topic := range []string{"", strings.Repeat("x", 65536), "a/+/b", "a/#", "a\x00b", "a\xff", "$SYS/broker"} {
			if err := g.Publish(t.Context(), topic, false, nil); !errors.Is(err, ErrTopic) {
				t.Errorf("topic %.20q: %v", topic, err)
			}
		}
	})
}
