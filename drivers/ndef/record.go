package ndef

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// TNF says how the type of a record is to be read (NDEF 1.0, 3.2.6).
type TNF byte

// The type name formats.
const (
	TNFEmpty     TNF = 0 // nothing: no type, no identifier, no payload
	TNFWellKnown TNF = 1 // a type of the NFC Forum: T, U, Sp
	TNFMedia     TNF = 2 // a media type of RFC 2046
	TNFAbsolute  TNF = 3 // an absolute URI
	TNFExternal  TNF = 4 // a type of somebody's own, "domain:name"
	TNFUnknown   TNF = 5 // a payload without a type
	TNFUnchanged TNF = 6 // only inside a chunked record; never one of a Record
	TNFReserved  TNF = 7 // of the future: kept, and to be treated as unknown
)

// Flags of a record's first byte (3.2).
const (
	flagBegin = 0x80
	flagEnd   = 0x40
	flagChunk = 0x20
	flagShort = 0x10
	flagID    = 0x08
	maskTNF   = 0x07
)

// Record is one record of a message.
type Record struct {
	TNF     TNF
	Type    string
	ID      string // usually empty
	Payload []byte
}

// part is a record as it lies in a message: one chunk or a whole one.
type part struct {
	Record
	flags byte
	end   int
}

// ParseMessage reads a message: one record or more, the first marked as such
// and so the last, with nothing behind. Chunked records are joined. The payload
// of a record that was not chunked points into b.
func ParseMessage(b []byte) ([]Record, error) {
	var records []Record
	err := eachRecord(b, func(r Record, _, _ int) { records = append(records, r) })
	return records, err
}

// eachRecord calls fn for each record with where it begins and ends.
func eachRecord(b []byte, fn func(r Record, from, to int)) error {
	if len(b) == 0 {
		return malformed(0, "a message has at least one record")
	}
	for at := 0; at < len(b); {
		from := at
		first, err := parsePart(b, at)
		if err != nil {
			return err
		}
		if err := checkFirst(first, at); err != nil {
			return err
		}
		r, last := first.Record, first
		if last.flags&flagChunk != 0 {
			r.Payload = bytes.Clone(r.Payload)
		}
		for last.flags&flagChunk != 0 {
			at = last.end
			if last, err = parseChunk(b, at); err != nil {
				return err
			}
			r.Payload = append(r.Payload, last.Payload...)
		}
		at = last.end
		fn(r, from, at)
		switch ended := last.flags&flagEnd != 0; {
		case ended && at < len(b):
			return malformed(at, "%d bytes behind the last record", len(b)-at)
		case !ended && at == len(b):
			return malformed(from, "no record is marked as the last")
		}
	}
	return nil
}

func checkFirst(p part, at int) error {
	begins, n := p.flags&flagBegin != 0, len(p.Type)
	switch {
	case begins != (at == 0):
		return malformed(at, "the first record alone is marked as such")
	case p.flags&flagEnd != 0 && p.flags&flagChunk != 0:
		return malformed(at, "the last record goes on in another chunk")
	case p.TNF == TNFUnchanged:
		return malformed(at, "a later chunk without a first one")
	case p.TNF == TNFEmpty && (n != 0 || len(p.ID) != 0 || len(p.Payload) != 0):
		return malformed(at, "an empty record that is not empty")
	case p.TNF == TNFUnknown && n != 0:
		return malformed(at, "a record of unknown type has a type")
	case p.TNF >= TNFWellKnown && p.TNF <= TNFExternal && n == 0:
		return malformed(at, "a record of TNF %d has no type", p.TNF)
	}
	return nil
}

func parseChunk(b []byte, at int) (part, error) {
	if at == len(b) {
		return part{}, malformed(at, "a chunked record breaks off")
	}
	p, err := parsePart(b, at)
	switch {
	case err != nil:
		return p, err
	case p.TNF != TNFUnchanged || p.Type != "" || p.flags&(flagBegin|flagID) != 0:
		return p, malformed(at, "this is not the next chunk of the record before")
	case p.flags&flagEnd != 0 && p.flags&flagChunk != 0:
		return p, malformed(at, "the last record goes on in another chunk")
	}
	return p, nil
}

// parsePart reads what begins at b[at] (3.2).
func parsePart(b []byte, at int) (part, error) {
	c := cursor{b: b, at: at}
	flags := c.byte("header")
	typeSize, size, idSize := int(c.byte("type length")), uint32(0), 0
	if flags&flagShort != 0 {
		size = uint32(c.byte("payload length"))
	} else if length := c.take(4, "payload length"); length != nil {
		size = binary.BigEndian.Uint32(length)
	}
	if flags&flagID != 0 {
		idSize = int(c.byte("identifier length"))
	}
	p := part{flags: flags}
	p.TNF = TNF(flags & maskTNF)
	p.Type = string(c.take(typeSize, "type"))
	p.ID = string(c.take(idSize, "identifier"))
	if int64(size) > int64(len(b)) && c.err == nil {
		return p, malformed(c.at, "payload of %d bytes, %d are left", size, len(b)-c.at)
	}
	p.Payload = c.take(int(size), "payload")
	p.end = c.at
	return p, c.err
}

// cursor takes bytes from the front and remembers the first failure.
type cursor struct {
	b   []byte
	at  int
	err error
}

func (c *cursor) take(n int, what string) []byte {
	if c.err == nil && n > len(c.b)-c.at {
		c.err = malformed(c.at, "%s of %d bytes, %d are left", what, n, len(c.b)-c.at)
	}
	if c.err != nil {
		return nil
	}
	taken := c.b[c.at : c.at+n : c.at+n]
	c.at += n
	return taken
}

func (c *cursor) byte(what string) byte {
	if b := c.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

// AppendMessage appends the message of the records to dst, in the one shortest
// form: short records where they can be, an identifier only where there is one,
// no chunks.
func AppendMessage(dst []byte, records ...Record) ([]byte, error) {
	if len(records) == 0 {
		return dst, fmt.Errorf("%w: a message has at least one record", ErrMalformed)
	}
	for i, r := range records {
		start := len(dst)
		var err error
		if dst, err = appendRecord(dst, r); err != nil {
			return dst, fmt.Errorf("record %d: %w", i+1, err)
		}
		if i == 0 {
			dst[start] |= flagBegin
		}
		if i == len(records)-1 {
			dst[start] |= flagEnd
		}
	}
	return dst, nil
}

// appendRecord appends a record in the middle of a message.
func appendRecord(dst []byte, r Record) ([]byte, error) {
	if len(r.Type) > 255 || len(r.ID) > 255 || uint64(len(r.Payload)) > math.MaxUint32 || r.TNF > TNFReserved {
		return dst, fmt.Errorf("%w: TNF %d, type of %d, identifier of %d and payload of %d bytes do not fit into a record",
			ErrMalformed, r.TNF, len(r.Type), len(r.ID), len(r.Payload))
	}
	if err := checkFirst(part{Record: r, flags: flagBegin}, 0); err != nil {
		return dst, err
	}
	header := byte(r.TNF)
	if r.ID != "" {
		header |= flagID
	}
	if len(r.Payload) <= 255 {
		dst = append(dst, header|flagShort, byte(len(r.Type)), byte(len(r.Payload)))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, header, byte(len(r.Type))), uint32(len(r.Payload)))
	}
	if r.ID != "" {
		dst = append(dst, byte(len(r.ID)))
	}
	dst = append(append(dst, r.Type...), r.ID...)
	return append(dst, r.Payload...), nil
}
