package mqtt

import (
	"context"
	"sync"
)

// queue holds received messages until the consumer takes them, bounded in
// number and bytes. put never blocks: it is called by the goroutine that also
// has to see the broker's ping answers.
type queue struct {
	maxItems, maxBytes int
	ready              chan struct{} // holds a token while there may be messages

	mu      sync.Mutex
	ring    []Message // len grows to maxItems at most, then it is a ring
	first   int
	count   int
	bytes   int
	dropped uint64
}

func newQueue(maxItems, maxBytes int) *queue {
	return &queue{maxItems: maxItems, maxBytes: maxBytes, ready: make(chan struct{}, 1)}
}

func size(m Message) int { return len(m.Topic) + len(m.Payload) }

// put adds m and drops the oldest messages that no longer fit beside it.
func (q *queue) put(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count > 0 && (q.count == q.maxItems || q.bytes+size(m) > q.maxBytes) {
		q.shift()
		q.dropped++
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.count)%len(q.ring)] = m
	q.count++
	q.bytes += size(m)
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) grow() {
	larger := make([]Message, min(q.maxItems, max(16, 2*len(q.ring))))
	n := copy(larger, q.ring[q.first:])
	copy(larger[n:], q.ring[:q.first])
	q.ring, q.first = larger, 0
}

func (q *queue) shift() Message {
	m := q.ring[q.first]
	q.ring[q.first] = Message{}
	q.first = (q.first + 1) % len(q.ring)
	q.count--
	q.bytes -= size(m)
	return m
}

func (q *queue) take() (Message, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		return Message{}, false
	}
	return q.shift(), true
}

func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// pump hands the messages to out until ctx ends, then closes out.
func (q *queue) pump(ctx context.Context, out chan<- Message) {
	defer close(out)
	for {
		select {
		case <-q.ready:
		case <-ctx.Done():
			return
		}
		for m, ok := q.take(); ok; m, ok = q.take() {
			select {
			case out <- m:
			case <-ctx.Done():
				return
			}
		}
	}
}
