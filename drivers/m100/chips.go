package m100

import (
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// kind is what is known of a type of chip. The sizes are where the search
// begins; the tag has the last word.
type kind struct {
	name           string
	epc, tid, user int // of each bank in words, CRC and PC included
}

// kinds are chips by designer (MDID) and model (TMN) as their TID gives them.
var kinds = map[uint32]kind{
	0x001_100: {"Impinj Monza 4D", 10, 6, 2},
	0x001_105: {"Impinj Monza 4QT", 10, 12, 32},
	0x001_10C: {"Impinj Monza 4E", 33, 6, 8},
	0x001_130: {"Impinj Monza 5", 10, 6, 2},
	0x001_140: {"Impinj Monza X-2K", 10, 6, 136},
	0x001_150: {"Impinj Monza X-8K", 10, 6, 512},
	0x001_160: {"Impinj Monza R6", 8, 6, 0},
	0x001_170: {"Impinj Monza R6-P", 10, 6, 4},
	0x001_190: {"Impinj M750", 8, 6, 2},
	0x001_191: {"Impinj M730", 10, 6, 0},
	0x003_412: {"Alien Higgs-3", 8, 12, 32},
	0x003_414: {"Alien Higgs-4", 10, 12, 8},
	0x003_813: {"Alien Higgs-10", 8, 14, 2},
	0x003_821: {"Alien Higgs-9", 8, 20, 43},
	0x006_003: {"NXP UCODE G2XM", 17, 4, 32},
	0x006_811: {"NXP UCODE 7m", 10, 6, 2},
	0x006_890: {"NXP UCODE 7", 10, 6, 0},
	0x006_892: {"NXP UCODE DNA", 16, 6, 192},
	0x006_894: {"NXP UCODE 8", 10, 6, 0},
	0x006_994: {"NXP UCODE 8m", 8, 6, 2},
	0x006_995: {"NXP UCODE 9", 8, 6, 0},
	0x006_D12: {"NXP UCODE 7xm-1K", 30, 6, 64},
	0x006_F12: {"NXP UCODE 7xm-2K", 30, 6, 128},
}

// classID begins the TID of every EPC Gen2 tag (ISO/IEC 15963).
const classID = 0xE2

// chip returns designer and model from the first two words of a TID (GS1 EPC
// Tag Data Standard, 16.2.1): class, three flags, nine bits of MDID, twelve of
// TMN.
func chip(tid []byte) (mdid, tmn uint32, known bool) {
	if len(tid) < 4 || tid[0] != classID {
		return 0, 0, false
	}
	x := uint32(tid[1])<<16 | uint32(tid[2])<<8 | uint32(tid[3])
	return x >> 12 & 0x1FF, x & 0xFFF, true
}

// layout looks at the tag's chip and finds out how much memory it has.
func (a *access) layout(ctx context.Context) (drivers.Layout, error) {
	tid, err := a.readWords(ctx, banks[drivers.AreaTID], 0, 2)
	if err != nil {
		return drivers.Layout{}, fmt.Errorf("read TID: %w", err)
	}
	l := drivers.Layout{Type: fmt.Sprintf("Gen2 chip %X", tid), Sizes: map[drivers.Area]int{}}
	guess := kind{epc: 2 + len(a.epc)/2, tid: 6}
	if mdid, tmn, ok := chip(tid); ok {
		l.Type = fmt.Sprintf("Gen2 chip, designer %03X, model %03X", mdid, tmn)
		if k, ok := kinds[mdid<<12|tmn]; ok {
			l.Type, guess = k.name, k
		}
	}
	for _, bank := range [...]struct {
		area  drivers.Area
		guess int
	}{{drivers.AreaEPC, guess.epc}, {drivers.AreaTID, guess.tid}, {drivers.AreaUser, guess.user}, {drivers.AreaReserved, 4}} {
		size, err := a.measure(ctx, banks[bank.area], bank.guess)
		if err != nil {
			return drivers.Layout{}, fmt.Errorf("measure %s: %w", bank.area, err)
		}
		if size > 0 {
			l.Sizes[bank.area] = 2 * size
		}
	}
	return l, nil
}

// measure returns how many words of a bank can be read. A right guess costs two
// reads, a wrong one some more.
func (a *access) measure(ctx context.Context, bank byte, guess int) (int, error) {
	has := func(word int) (bool, error) {
		_, err := a.readWords(ctx, bank, word, 1)
		if errors.Is(err, drivers.ErrNoArea) || errors.Is(err, drivers.ErrLocked) {
			return false, nil
		}
		return err == nil, err
	}
	low, high := 0, bankLimit+1 // has(low-1) and not has(high-1)
	for next := max(guess, 1); low+1 < high; {
		ok, err := has(next - 1)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = next
		default:
			high = next
		}
		switch {
		case low == guess && guess > 0:
			next = low + 1
		case high > bankLimit:
			next = min(2*low, bankLimit)
		default:
			next = (low + high) / 2
		}
	}
	return low, nil
}
