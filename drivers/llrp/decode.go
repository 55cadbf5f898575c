package llrp

import (
	"encoding/binary"
	"fmt"

	"traveler.example/drivers"
)

// scope reads the fields of one message or parameter, and then the parameters
// in it. The first thing that is wrong stands in the walk for all of them: after
// it every field is zero and no parameter follows. It descends only where the
// code that uses it does, so depth is bounded by that code and not by the bytes.
type scope struct {
	walk *walk
	name fmt.Stringer
	b    []byte
	at   int // of b in the message
}

// walk is one message under way.
type walk struct {
	message Message
	err     error
}

// open begins reading a message.
func (w *walk) open(m Message) scope {
	w.message = m
	return scope{walk: w, name: m.Type, b: m.Body, at: headerSize}
}

func (s *scope) fail(format string, args ...any) {
	if s.walk.err == nil {
		s.walk.err = fmt.Errorf("%v: %v at byte %d: %w: %s", s.walk.message.Type, s.name, s.at, drivers.ErrProtocol, fmt.Sprintf(format, args...))
	}
	s.b = nil
}

// take returns the next n bytes, or nil if they are not there.
func (s *scope) take(n int) []byte {
	if s.walk.err != nil {
		return nil
	}
	if n > len(s.b) {
		s.fail("%d bytes are left, %d are needed", len(s.b), n)
		return nil
	}
	b := s.b[:n:n]
	s.b, s.at = s.b[n:], s.at+n
	return b
}

func (s *scope) u8() uint8 {
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (s *scope) u16() uint16 {
	if b := s.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (s *scope) u32() uint32 {
	if b := s.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// text reads a length and so many bytes of UTF-8.
func (s *scope) text() string {
	return string(s.take(int(s.u16())))
}

// next returns the next parameter. Whoever calls it skips what he does not know,
// custom parameters (1023) among them.
func (s *scope) next() (paramType, scope, bool) {
	if s.walk.err != nil || len(s.b) == 0 {
		return 0, scope{}, false
	}
	begin := s.at
	if first := s.b[0]; first&0x80 != 0 {
		t := paramType(first & 0x7F)
		size := t.valueSize()
		if size == 0 {
			s.fail("a parameter of the unknown type %d, whose size nobody can tell", t)
			return 0, scope{}, false
		}
		s.take(1)
		return s.inside(t, begin+1, s.take(size))
	}
	t := paramType(s.u16() & 0x3FF)
	size := int(s.u16())
	if s.walk.err != nil {
		return 0, scope{}, false
	}
	if t < 128 || size < 4 || size-4 > len(s.b) {
		s.fail("%v with a length of %d bytes, 4 to %d are possible", t, size, 4+len(s.b))
		return 0, scope{}, false
	}
	return s.inside(t, begin+4, s.take(size-4))
}

func (s *scope) inside(t paramType, at int, value []byte) (paramType, scope, bool) {
	return t, scope{walk: s.walk, name: t, b: value, at: at}, s.walk.err == nil
}

// status is an LLRPStatus: what a reader made of a request.
type status struct {
	code  uint16
	text  string
	param paramType // that was wrong, if the reader says so
}

// The codes on which somebody decides (LLRP 1.0.1, 14.1).
const statusSuccess = 0

// err returns nil for success.
func (s status) err() error {
	if s.code == statusSuccess {
		return nil
	}
	what := fmt.Sprintf("status %d", s.code)
	if s.param != 0 {
		what += fmt.Sprintf(" at %v", s.param)
	}
	if s.text != "" {
		what += fmt.Sprintf(" (%q)", s.text)
	}
	return fmt.Errorf("%w: it refuses with %s", drivers.ErrProtocol, what)
}

func readStatus(s scope) status {
	st := status{code: s.u16(), text: s.text()}
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		if t == pParameterError {
			st.param = paramType(p.u16())
		}
	}
	return st
}

// parseStatus reads the status of a response or an ERROR_MESSAGE.
func parseStatus(m Message) error {
	var w walk
	s := w.open(m)
	for t, p, ok := s.next(); ok; t, p, ok = s.next() {
		if t == pLLRPStatus {
			st := readStatus(p)
			if w.err != nil {
				return w.err
			}
			return st.err()
		}
	}
	if w.err == nil {
		s.fail("it has no LLRPStatus")
	}
	return w.err
}
