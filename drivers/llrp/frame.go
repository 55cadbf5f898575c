package llrp

import (
	"encoding/binary"
	"fmt"

	"traveler.example/drivers"
)

// MaxMessage is the longest message that is taken in, in bytes. The longest
// that readers send, a report of a full buffer or a table of capabilities, stays
// far below.
const MaxMessage = 512 << 10

// headerSize is version and type, length, and identifier (LLRP 1.0.1, 15.1.1).
const headerSize = 10

// version is the protocol that is spoken: 1.0.1, which readers of 1.1 speak
// until another one is agreed upon (LLRP 1.1, 9.1).
const version = 1

// Message is one LLRP message.
type Message struct {
	Type MessageType
	ID   uint32 // a response carries that of its request
	Body []byte // fields and parameters, without the header
}

// AppendMessage appends the bytes of m, as LLRP 1.0.1, to dst.
func AppendMessage(dst []byte, m Message) []byte {
	dst = binary.BigEndian.AppendUint16(dst, version<<10|uint16(m.Type)&0x3FF)
	dst = binary.BigEndian.AppendUint32(dst, uint32(headerSize+len(m.Body)))
	dst = binary.BigEndian.AppendUint32(dst, m.ID)
	return append(dst, m.Body...)
}

// Parser cuts a stream of bytes into messages. The zero value is ready. Its
// memory is bounded by MaxMessage, and grows only with bytes that really came.
type Parser struct {
	buf []byte
	at  int64 // where in the stream buf begins
	err error
}

// Feed takes in bytes and returns the messages that they complete; their bodies
// belong to the caller. An error wraps drivers.ErrProtocol, says where in the
// stream a header is wrong, and lasts: a stream that lost its lengths cannot be
// found again, so the connection has to be closed.
func (p *Parser) Feed(b []byte) ([]Message, error) {
	if p.err != nil {
		return nil, p.err
	}
	p.buf = append(p.buf, b...)
	var found []Message
	used := 0
	for {
		m, size, err := cut(p.buf[used:])
		if err != nil {
			p.err = fmt.Errorf("byte %d of the stream: %w", p.at+int64(used), err)
			p.buf = nil
			return found, p.err
		}
		if size == 0 {
			break
		}
		found = append(found, m)
		used += size
	}
	p.at += int64(used)
	p.buf = p.buf[:copy(p.buf, p.buf[used:])]
	return found, nil
}

// cut returns the message at the beginning of b and its size, or 0 if it is not
// complete yet. What can be refused is refused as soon as its bytes are there.
func cut(b []byte) (Message, int, error) {
	if len(b) < 2 {
		return Message{}, 0, nil
	}
	head := binary.BigEndian.Uint16(b)
	m := Message{Type: MessageType(head & 0x3FF)}
	if v := head >> 10 & 7; head>>13 != 0 || v < 1 || v > 2 {
		return m, 0, fmt.Errorf("%w: %02X %02X begins no message of LLRP 1.0.1 or 1.1", drivers.ErrProtocol, b[0], b[1])
	}
	if len(b) < headerSize {
		return m, 0, nil
	}
	size := binary.BigEndian.Uint32(b[2:])
	m.ID = binary.BigEndian.Uint32(b[6:])
	if size < headerSize || size > MaxMessage {
		return m, 0, fmt.Errorf("%w: %v of %d bytes, %d to %d are possible", drivers.ErrProtocol, m.Type, size, headerSize, MaxMessage)
	}
	if len(b) < int(size) {
		return m, 0, nil
	}
	m.Body = append([]byte(nil), b[headerSize:size]...)
	return m, int(size), nil
}
