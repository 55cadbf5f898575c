package emulate

import "encoding/binary"

// llrpTag is a Gen2 tag before an antenna.
type llrpTag struct {
	*gen2Tag
	antenna uint16
}

// matches reports whether a C1G2TargetTag is this tag: bank and flags, the
// first bit, mask and data (LLRP 1.0.1, 16.2.1.3.1.1).
func (t *llrpTag) matches(target []byte) bool {
	if len(target) < 5 {
		return false
	}
	bank, first := t.banks[target[0]>>6], int(binary.BigEndian.Uint16(target[1:]))
	mask, rest, ok := llrpBits(target[3:])
	if !ok {
		return false
	}
	data, _, ok := llrpBits(rest)
	if !ok || len(data) != len(mask) || first%8 != 0 {
		return false
	}
	same := len(bank) >= first/8+len(mask)
	for i := 0; same && i < len(mask); i++ {
		same = (bank[first/8+i]^data[i])&mask[i] == 0
	}
	return same == (target[0]&0x20 != 0)
}

// llrpBits reads a number of bits and the bytes that hold them.
func llrpBits(b []byte) (bits, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := (int(binary.BigEndian.Uint16(b)) + 7) / 8
	if len(b) < 2+n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

// The operations, their results, and what stands in those.
const (
	llrpRead        = 341
	llrpWrite       = 342
	llrpReadResult  = 349
	llrpWriteResult = 350

	llrpReadTagError  = 1 // 1.0.1 knows no other for what a tag refuses
	llrpWriteOverrun  = 1
	llrpWriteLocked   = 2
	llrpOperationSize = 11 // identifier, password, bank, address, number of words
)

// access carries out a C1G2Read or C1G2Write and returns its result parameter
// (LLRP 1.0.1, 16.2.1.5).
func (t *llrpTag) access(op llrpParam) []byte {
	id, bank := op.value[:2], op.value[6]>>6
	word, words := int(binary.BigEndian.Uint16(op.value[7:])), int(binary.BigEndian.Uint16(op.value[9:]))
	memory, data := t.banks[bank], op.value[llrpOperationSize:]
	if op.kind == llrpRead && words == 0 {
		words = len(memory)/2 - word
	}
	begin, end := 2*word, 2*(word+words)
	var p llrpBytes
	switch within := words > 0 && end <= len(memory); {
	case op.kind == llrpRead && !within:
		p.tlv(llrpReadResult, []byte{llrpReadTagError}, id, be16(0))
	case op.kind == llrpRead:
		p.tlv(llrpReadResult, []byte{0}, id, be16(uint16(words)), memory[begin:end])
	case bank == bankTID || t.locked[bank]:
		p.tlv(llrpWriteResult, []byte{llrpWriteLocked}, id, be16(0))
	case !within || len(data) != end-begin:
		p.tlv(llrpWriteResult, []byte{llrpWriteOverrun}, id, be16(0))
	default:
		copy(memory[begin:], data)
		if bank == bankEPC {
			t.reseal()
		}
		p.tlv(llrpWriteResult, []byte{0}, id, be16(uint16(words)))
	}
	return p
}
