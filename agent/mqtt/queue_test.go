package mqtt

import (
	"context"
	"fmt"
	"testing"
)

func TestQueueBounds(t *testing.T) {
	tests := []struct {
		name               string
		items, bytes, size int
		kept, dropped      int
	}{
		{"all fit", 100, 10000, 10, 100, 0},
		{"bounded in number", 30, 10000, 10, 30, 70},
		{"bounded in bytes", 100, 250, 10, 25, 75},
		{"one larger than the bytes is still kept", 100, 5, 10, 1, 99},
	}
	for _, tt := range tests {
		q := newQueue(tt.items, tt.bytes)
		for i := range 100 {
			q.put(Message{Topic: fmt.Sprintf("%02d", i), Payload: make([]byte, tt.size-2)})
		}
		if int(q.drops()) != tt.dropped {
			t.Errorf("%s: dropped %d, want %d", tt.name, q.drops(), tt.dropped)
		}
		for i := 100 - tt.kept; i < 100; i++ {
			m, ok := q.take()
			if want := fmt.Sprintf("%02d", i); !ok || m.Topic != want {
				t.Fatalf("%s: took %q, want %q", tt.name, m.Topic, want)
			}
		}
		if m, ok := q.take(); ok || q.bytes != 0 {
			t.Errorf("%s: took %q, %d bytes booked", tt.name, m.Topic, q.bytes)
		}
	}
}

// The ring wraps and grows at any fill without losing or reordering.
func TestQueueOrder(t *testing.T) {
	q := newQueue(1000, 1<<20)
	in, out := 0, 0
	for step := range 300 {
		for range step % 7 {
			q.put(Message{Topic: fmt.Sprint(in)})
			in++
		}
		for range step % 6 {
			if m, ok := q.take(); ok {
				if m.Topic != fmt.Sprint(out) {
					t.Fatalf("took %s, want %d", m.Topic, out)
				}
				out++
			}
		}
	}
	if q.count != in-out {
		t.Errorf("%d wait, want %d", q.count, in-out)
	}
}

func TestPumpEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	q, out := newQueue(10, 1000), make(chan Message)
	q.put(Message{Topic: "nobody takes this"})
	go q.pump(ctx, out)
	cancel()
	for range out {
	}
}
