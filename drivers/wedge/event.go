package wedge

import "encoding/binary"

// The sizes of struct input_event (linux/input.h): two words of the kernel's
// time, then type, code and value. A word is that of the program, also where a
// program of 32 bits runs on a kernel of 64.
const (
	EventSize32 = 16
	EventSize64 = 24
	// NativeSize is that of this program.
	NativeSize = EventSize32 + (EventSize64-EventSize32)*int(^uint(0)>>63)
)

// What of linux/input-event-codes.h matters here, besides the keys.
const (
	typeSync = 0x00
	typeKey  = 0x01

	syncReport  = 0 // the end of what happened together
	syncDropped = 3 // the kernel's buffer ran over: events were lost

	valueRelease = 0
	valuePress   = 1 // 2 is auto-repeat
)

// Event is one struct input_event without its time.
type Event struct {
	Type, Code uint16
	Value      int32
}

// Parser cuts a stream into events. The kernel hands out whole ones, but a pipe
// need not.
type Parser struct {
	size   int
	buf    [EventSize64]byte
	n      int
	events []Event
}

// NewParser returns a parser for events of EventSize32 or EventSize64 bytes; any
// other size stands for NativeSize.
func NewParser(size int) *Parser {
	if size != EventSize32 && size != EventSize64 {
		size = NativeSize
	}
	return &Parser{size: size}
}

// Feed takes in the next bytes and returns the events that they complete, valid
// until the next call.
func (p *Parser) Feed(b []byte) []Event {
	p.events = p.events[:0]
	for len(b) > 0 {
		n := copy(p.buf[p.n:p.size], b)
		p.n += n
		b = b[n:]
		if p.n == p.size {
			p.n = 0
			p.events = append(p.events, parse(p.buf[p.size-8:p.size]))
		}
	}
	return p.events
}

// parse reads what follows the time.
func parse(b []byte) Event {
	return Event{
		Type:  binary.NativeEndian.Uint16(b),
		Code:  binary.NativeEndian.Uint16(b[2:]),
		Value: int32(binary.NativeEndian.Uint32(b[4:])),
	}
}
