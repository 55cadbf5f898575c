package emulate

import (
	"encoding/binary"
	"errors"
)

// llrpMessage is a message of LLRP 1.0.1 (15.1).
type llrpMessage struct {
	kind uint16
	id   uint32
	body []byte
}

// longestLLRPMessage bounds what a host may send at once.
const longestLLRPMessage = 64 << 10

var errLLRPMessage = errors.New("not a message of LLRP")

// cutLLRPMessage takes the first message from the beginning of b. The size is 0
// while it is not complete.
func cutLLRPMessage(b []byte) (m llrpMessage, size int, err error) {
	if len(b) < 10 {
		return m, 0, nil
	}
	size = int(binary.BigEndian.Uint32(b[2:]))
	if version := b[0] >> 2; version != 1 && version != 2 || size < 10 || size > longestLLRPMessage {
		return m, 0, errLLRPMessage
	}
	if len(b) < size {
		return m, 0, nil
	}
	return llrpMessage{uint16(b[0]&3)<<8 | uint16(b[1]), binary.BigEndian.Uint32(b[6:]), b[10:size]}, size, nil
}

// bytes puts a header before the body.
func (m llrpMessage) bytes() []byte {
	var p llrpBytes
	p.u16(0x0400 | m.kind)
	p.u32(uint32(10 + len(m.body)))
	p.u32(m.id)
	return append(p, m.body...)
}

// llrpParam is a TLV parameter: hosts send no others.
type llrpParam struct {
	kind  uint16
	value []byte
}

// llrpParams cuts b into parameters; ok is false if it does not come out even.
func llrpParams(b []byte) (params []llrpParam, ok bool) {
	for len(b) > 0 {
		if len(b) < 4 || b[0] > 3 {
			return nil, false
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			return nil, false
		}
		params = append(params, llrpParam{binary.BigEndian.Uint16(b), b[4:size]})
		b = b[size:]
	}
	return params, true
}

// findLLRP goes down a path of parameters from those in b, after a number of
// bytes of fields in each, and returns the value of the last.
func findLLRP(b []byte, path ...llrpStep) ([]byte, bool) {
	for _, step := range path {
		if len(b) < step.fields {
			return nil, false
		}
		params, ok := llrpParams(b[step.fields:])
		if !ok {
			return nil, false
		}
		found := false
		for _, p := range params {
			if p.kind == step.kind {
				b, found = p.value, true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return b, true
}

// llrpStep is the type of a parameter, and how many bytes of fields its parent
// has before its parameters.
type llrpStep struct {
	fields int
	kind   uint16
}

// llrpBytes writes fields and parameters.
type llrpBytes []byte

func (p *llrpBytes) u8(v uint8)   { *p = append(*p, v) }
func (p *llrpBytes) u16(v uint16) { *p = binary.BigEndian.AppendUint16(*p, v) }
func (p *llrpBytes) u32(v uint32) { *p = binary.BigEndian.AppendUint32(*p, v) }
func (p *llrpBytes) u64(v uint64) { *p = binary.BigEndian.AppendUint64(*p, v) }

// tlv writes a parameter that is made of parts.
func (p *llrpBytes) tlv(kind uint16, parts ...[]byte) {
	size := 4
	for _, part := range parts {
		size += len(part)
	}
	p.u16(kind)
	p.u16(uint16(size))
	for _, part := range parts {
		*p = append(*p, part...)
	}
}

// be16 and be32 are fields in a list of parts.
func be16(values ...uint16) []byte {
	var p llrpBytes
	for _, v := range values {
		p.u16(v)
	}
	return p
}

func be32(values ...uint32) []byte {
	var p llrpBytes
	for _, v := range values {
		p.u32(v)
	}
	return p
}

// llrpStatus writes an LLRPStatus.
func llrpStatus(code uint16, text string) []byte {
	var p llrpBytes
	p.tlv(287, be16(code, uint16(len(text))), []byte(text))
	return p
}
