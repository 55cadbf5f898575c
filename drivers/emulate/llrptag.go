package emulate

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// llrpTag is a Gen2 tag before an antenna.
type llrpTag struct {
	epc     []byte
	antenna uint16
	rssi    int8
	banks   [4][]byte // reserved, EPC, TID, user
	locked  bool      // user bank
	reads   int
}

// llrpChip is what a type of tag is made of.
type llrpChip struct {
	tid  string // what the chip says of itself, before its serial number
	user int    // bytes
}

// llrpChips are by their data sheets: Alien Higgs-3, Impinj Monza R6.
func llrpChips() map[string]llrpChip {
	return map[string]llrpChip{
		"higgs3":  {"E2003412", 64},
		"monzar6": {"E2801160", 0},
	}
}

func newLLRPTag(epc, chip string) (*llrpTag, error) {
	id, err := hex.DecodeString(epc)
	if err != nil || len(id) == 0 || len(id) > 62 || len(id)%2 != 0 {
		return nil, fmt.Errorf("EPC %q is not 1 to 31 words in hex, write one like 3034257BF7194E4000001A85", epc)
	}
	if chip == "" {
		chip = "higgs3"
	}
	chips := llrpChips()
	c, ok := chips[chip]
	if !ok {
		return nil, fmt.Errorf("no chip %q, there are: %s", chip, strings.Join(slices.Sorted(maps.Keys(chips)), " "))
	}
	tid, err := hex.DecodeString(c.tid)
	if err != nil {
		return nil, err
	}
	pc := binary.BigEndian.AppendUint16(nil, uint16(len(id)/2)<<11)
	coded := append(pc, id...)
	crc := binary.BigEndian.AppendUint16(nil, llrpCRC(coded))
	t := &llrpTag{epc: id, antenna: 1, rssi: -50}
	t.banks = [4][]byte{
		make([]byte, 8),
		slices.Concat(crc, coded),
		slices.Concat(tid, []byte{0x20, 0x00, 0x4A, 0x1B}, crc, crc), // with a serial number, as chips have
		make([]byte, c.user),
	}
	return t, nil
}

func (t *llrpTag) id() string { return strings.ToUpper(hex.EncodeToString(t.epc)) }

// llrpCRC is the CRC-16 of EPC Gen2: polynomial 1021, preset FFFF, inverted.
func llrpCRC(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return ^crc
}

// matches reports whether a C1G2TargetTag is this tag: bank and flags, the
// first bit, mask and data.
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

// access carries out a C1G2Read or C1G2Write and returns its result parameter
// (LLRP 1.0.1, 16.2.1.5).
func (t *llrpTag) access(op llrpParam) []byte {
	var p llrpBytes
	if len(op.value) < 11 {
		return nil
	}
	id, bank := op.value[:2], op.value[6]>>6
	word, words := int(binary.BigEndian.Uint16(op.value[7:])), int(binary.BigEndian.Uint16(op.value[9:]))
	memory := t.banks[bank]
	switch op.kind {
	case 341:
		if words == 0 {
			words = len(memory)/2 - word
		}
		if words <= 0 || 2*(word+words) > len(memory) {
			p.tlv(349, []byte{1}, id, be16(0))
			return p
		}
		p.tlv(349, []byte{0}, id, be16(uint16(words)), memory[2*word:2*(word+words)])
	case 342:
		data := op.value[11:]
		switch {
		case bank == 2 || bank == 3 && t.locked:
			p.tlv(350, []byte{2}, id, be16(0))
		case len(data) != 2*words || 2*(word+words) > len(memory):
			p.tlv(350, []byte{1}, id, be16(0))
		default:
			copy(memory[2*word:], data)
			p.tlv(350, []byte{0}, id, be16(uint16(words)))
		}
	}
	return p
}
