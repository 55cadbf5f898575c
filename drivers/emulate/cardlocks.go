package emulate

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// lockWord is lock bits in a page, the lowest bit of the lowest byte first.
type lockWord struct {
	page   int
	shift  int // bits of the page before the first one
	fixed  [4]byte
	locks  []lockBit
	blocks []blockBit
}

// lockBit makes pages read-only.
type lockBit struct{ bit, first, last int }

// blockBit freezes lock bits as they are.
type blockBit struct {
	bit  int
	bits uint32
}

// staticLocks are bytes 2 and 3 of page 2: bit n is for page n, and the three
// lowest freeze the others.
func staticLocks() lockWord {
	w := lockWord{page: 2, shift: 16, blocks: []blockBit{{0, 1 << 3}, {1, 0x03F0}, {2, 0xFC00}}}
	for page := 3; page < 16; page++ {
		w.locks = append(w.locks, lockBit{page, page, page})
	}
	return w
}

// dynamicLocks are those of EV1 and NTAG: one bit for step pages from page 16
// on, and from bit 16 on one that freezes two of them.
func dynamicLocks(page, step int) lockWord {
	w := lockWord{page: page, fixed: [4]byte{3: 0xBD}}
	for first := 16; first < page; first += step {
		w.locks = append(w.locks, lockBit{len(w.locks), first, min(first+step, page) - 1})
	}
	for i := 0; 2*i < len(w.locks); i++ {
		w.blocks = append(w.blocks, blockBit{16 + i, 0b11 << (2 * i)})
	}
	return w
}

// ultralightCLocks are those of MF0ICU2 page 40: four pages a bit, and one for
// the counter, AUTH0, AUTH1 and the key.
func ultralightCLocks() lockWord {
	return lockWord{
		page: 40,
		locks: []lockBit{
			{1, 16, 19},
			{2, 20, 23},
			{3, 24, 27},
			{5, 28, 31},
			{6, 32, 35},
			{7, 36, 39},
			{12, 41, 41},
			{13, 42, 42},
			{14, 43, 43},
			{15, 44, 47},
		},
		blocks: []blockBit{{0, 0x0E}, {4, 0xE0}, {8, 1 << 12}, {9, 1 << 13}, {10, 1 << 14}, {11, 1 << 15}},
	}
}

// word reads lock bits.
func (t *type2) word(w lockWord) uint32 {
	return binary.LittleEndian.Uint32(t.at(w.page)) >> w.shift
}

func (t *type2) locked(w lockWord, page int) bool {
	return slices.ContainsFunc(w.locks, func(l lockBit) bool {
		return l.first <= page && page <= l.last && t.word(w)>>l.bit&1 != 0
	})
}

// locks merges what is written to lock bits with what is there: bits are only
// ever set, those that are frozen not even that.
func (t *type2) locks(w lockWord, b []byte) []byte {
	old := t.word(w)
	var known, frozen uint32
	for _, l := range w.locks {
		known |= 1 << l.bit
	}
	for _, x := range w.blocks {
		known |= 1 << x.bit
		if old>>x.bit&1 != 0 {
			frozen |= x.bits
		}
	}
	merged := old | binary.LittleEndian.Uint32(b)>>w.shift&known&^frozen
	page := slices.Clone(t.at(w.page))
	keep := uint32(1)<<w.shift - 1
	binary.LittleEndian.PutUint32(page, binary.LittleEndian.Uint32(page)&keep|merged<<w.shift)
	return page
}

// lock implements silicon.
func (t *type2) lock(page int) error {
	found := false
	for _, w := range []lockWord{staticLocks(), t.model.dynamic} {
		for _, l := range w.locks {
			if page >= l.first && page <= l.last || page < 0 && l.last >= 4 && l.first < 4+t.model.user {
				found = true
				b := t.at(w.page)
				binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)|1<<(l.bit+w.shift))
			}
		}
	}
	if !found {
		return fmt.Errorf("page %d has no lock bit", page)
	}
	return nil
}
