package ndef

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Errors of a slot, on which callers decide.
var (
	// ErrNoSlot: the tag holds no record of that type.
	ErrNoSlot = errors.New("no such record on the tag")
	// ErrTorn: there is one, and it is not whole: its writing was cut short, or
	// the tag lost it. It is an ErrNoSlot as well.
	ErrTorn = fmt.Errorf("%w: what is left of one is not whole", ErrNoSlot)
	// ErrNoRoom: the record does not fit. The error is a [RoomError].
	ErrNoRoom = errors.New("no room on the tag")
	// ErrUnformatted: the memory is not laid out for a record, or holds what is
	// not ours to overwrite. It may be formatted if that is allowed.
	ErrUnformatted = errors.New("tag is not laid out for records")
)

// RoomError says how many bytes there are for a record and what goes with it,
// and how many it needs.
type RoomError struct{ Have, Need int }

// Error implements error.
func (e *RoomError) Error() string {
	return fmt.Sprintf("%v: %d bytes are needed, there are %d", ErrNoRoom, e.Need, e.Have)
}

// Is reports whether target is ErrNoRoom.
func (e *RoomError) Is(target error) bool { return target == ErrNoRoom }

// checkSize is what goes behind the data of a slot: a CRC-32 (IEEE 802.3) over
// the type, a zero byte and the data. It tells a torn record from a whole one,
// and a record without a type from those of others.
const checkSize = 4

func seal(name string, data []byte) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(data), check(name, data))
}

func check(name string, data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(append([]byte(name), 0)), crc32.IEEETable, data)
}

// unseal returns the data of a slot, if it is whole.
func unseal(name string, sealed []byte) (data []byte, whole bool) {
	n := len(sealed) - checkSize
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != check(name, sealed[:n]) {
		return nil, false
	}
	return sealed[:n], true
}

// slotRecord is a record of a message as it lies there.
type slotRecord struct {
	Record
	raw []byte
}

func slotRecords(message []byte) ([]slotRecord, error) {
	if len(message) == 0 {
		return nil, nil
	}
	var all []slotRecord
	err := eachRecord(message, func(r Record, from, to int) { all = append(all, slotRecord{r, message[from:to]}) })
	return all, err
}

// find returns the data of the slot in a message.
func find(message []byte, name string) ([]byte, error) {
	records, err := slotRecords(message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSlot, err)
	}
	for _, r := range records {
		if !ours(r.Record, name, len(records) == 1) {
			continue
		}
		if data, whole := unseal(name, r.Payload); whole {
			return data, nil
		}
		return nil, ErrTorn
	}
	return nil, ErrNoSlot
}

// ours reports whether a record is the slot. One without a type is, if its check
// says so, or if it is alone: then there is nobody else's to take care of.
func ours(r Record, name string, alone bool) bool {
	if r.TNF != TNFUnknown || r.ID != "" {
		return r.IsExternal(name)
	}
	_, whole := unseal(name, r.Payload)
	return whole || alone
}

// compose returns the message with the slot replaced, or put behind the records
// of others, which stay as they are byte for byte.
func compose(records []slotRecord, slot Record, name string) ([]byte, error) {
	raw, err := appendRecord(nil, slot)
	if err != nil {
		return nil, err
	}
	var parts [][]byte
	placed := false
	for _, r := range records {
		switch {
		case ours(r.Record, name, len(records) == 1):
			if !placed {
				placed, parts = true, append(parts, raw)
			}
		case r.TNF != TNFEmpty: // an empty record only says that there was nothing
			parts = append(parts, cleared(r.raw))
		}
	}
	if !placed {
		parts = append(parts, raw)
	}
	var message []byte
	for i, p := range parts {
		p[0] &^= flagBegin | flagEnd
		if i == 0 {
			p[0] |= flagBegin
		}
		if i == len(parts)-1 {
			markEnd(p)
		}
		message = append(message, p...)
	}
	return message, nil
}

// markEnd marks a record as the last of its message: its last chunk, if it has
// several.
func markEnd(raw []byte) {
	at := 0
	for raw[at]&flagChunk != 0 {
		p, err := parsePart(raw, at)
		if err != nil {
			return // it was parsed before
		}
		at = p.end
	}
	raw[at] |= flagEnd
}

// cleared returns a copy of a record that is not marked as the last.
func cleared(raw []byte) []byte {
	raw = bytes.Clone(raw)
	for at := 0; at < len(raw); {
		p, err := parsePart(raw, at)
		if err != nil {
			break // it was parsed before
		}
		raw[at] &^= flagEnd
		at = p.end
	}
	return raw
}

// ground is what a data area holds, as far as a slot is concerned.
type ground struct {
	block   TLV  // the NDEF block; Offset is where to put one if there is none
	present bool // there is one
	tail    bool // blocks of others follow it, from limit on
	limit   int  // where the room ends
}

// survey looks at a data area.
func survey(area []byte) (ground, error) {
	g := ground{limit: len(area)}
	blocks, err := ParseTLVs(area)
	for i, t := range blocks {
		switch t.Tag {
		case TagLock, TagMemory:
			from, to, err := reserved(area, t)
			if err != nil {
				return g, err
			}
			if to > t.End && from < g.limit {
				g.limit = max(from, t.End)
			}
		case TagNDEF:
			g.block, g.present = t, true
			if err == nil && othersFollow(blocks[i+1:]) {
				g.tail, g.limit = true, min(g.limit, blocks[i+1].Offset)
			}
			return g, nil
		case TagTerminator:
			return g, nil
		}
		g.block.Offset = t.End
	}
	return g, err
}

// othersFollow tells blocks behind the message from what an earlier, longer one
// left there: all of them have to be of a known kind.
func othersFollow(blocks []TLV) bool {
	for _, t := range blocks {
		switch t.Tag {
		case TagLock, TagMemory, TagNDEF, TagProprietary, TagTerminator:
		default:
			return false
		}
	}
	return len(blocks) > 0 && blocks[0].Tag != TagTerminator
}

// edit is one write to a data area.
type edit struct {
	off   int
	bytes []byte
}

// plan returns the writes that put the slot into a data area, in order.
//
// Wherever they are cut short, the area holds the old message, the new one, an
// empty one, or one whose slot fails its check. What lies behind the old message
// comes first, which nobody sees; then, as the standard asks (Type 2 Tag 1.1,
// 6.4.3), a length of 0, what is left of the message, and its length last. Only
// where a record with a type of the same size is replaced among those of others
// is it written in place, so that theirs can be read throughout.
func plan(area []byte, name string, data []byte) ([]edit, error) {
	g, err := survey(area)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnformatted, err)
	}
	var records []slotRecord
	if g.present {
		if records, err = slotRecords(area[g.block.Value:g.block.End]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnformatted, err)
		}
	}
	message, err := fit(records, name, data, g.limit-g.block.Offset)
	if err != nil {
		return nil, err
	}
	block, err := AppendTLV(nil, TagNDEF, message)
	if err != nil {
		return nil, err
	}
	return g.edits(area, block, name), nil
}

// fit makes the message: with the type of the slot if there is room, else
// without.
func fit(records []slotRecord, name string, data []byte, room int) ([]byte, error) {
	named, err := NewExternal(name, seal(name, data))
	if err != nil {
		return nil, err
	}
	for _, r := range []Record{named, {TNF: TNFUnknown, Payload: named.Payload}} {
		message, err := compose(records, r, name)
		if err != nil {
			return nil, err
		}
		need := blockSize(message)
		if need <= room {
			return message, nil
		}
		if r.TNF == TNFUnknown {
			return nil, &RoomError{Have: max(0, room), Need: need}
		}
	}
	return nil, nil
}

// blockSize is the size of the block of a message.
func blockSize(message []byte) int {
	if len(message) > maxShort {
		return 4 + len(message)
	}
	return 2 + len(message)
}

func (g ground) edits(area, block []byte, name string) []edit {
	at, end := g.block.Offset, g.block.Offset+len(block)
	old := area[at:at]
	if g.present {
		old = area[at:g.block.End]
	}
	body := block
	switch {
	case g.tail:
		body = append(block, make([]byte, g.limit-end)...) // nothing but padding up to the blocks of others
	case end < g.limit:
		body = append(block, TagTerminator)
	}
	if from, to, ok := inPlace(old, block, name); ok {
		return []edit{{at + from, block[from:to]}}
	}
	var edits []edit
	add := func(from, to int, b ...byte) {
		if from < to {
			edits = append(edits, edit{at + from, b})
		}
	}
	seen := 2 // what a reader may look at now: the old block and the terminator behind it
	if len(old) > 2 {
		seen = min(len(old)+1, len(body))
	}
	if !g.present {
		add(0, 2, TagNDEF, 0)
	}
	add(seen, len(body), body[seen:]...)
	if seen > 2 {
		add(1, 2, 0)
		add(2, seen, body[2:seen]...)
	}
	add(1, 2, body[1])
	return edits
}

// inPlace reports whether two blocks differ in nothing but the payload of the
// slot, beside records of others, and where that lies.
func inPlace(old, block []byte, name string) (from, to int, ok bool) {
	t, err := parseTLV(block, 0)
	if err != nil || len(old) != len(block) {
		return 0, 0, false
	}
	n := 0
	_ = eachRecord(block[t.Value:], func(r Record, _, end int) {
		n++
		if r.IsExternal(name) {
			from, to = t.Value+end-len(r.Payload), t.Value+end
		}
	})
	if n < 2 || to == 0 {
		return 0, 0, false
	}
	return from, to, string(old[:from]) == string(block[:from]) && string(old[to:]) == string(block[to:])
}
