package emulate

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
)

// The memory banks of a Gen2 tag.
const (
	bankReserved = iota
	bankEPC
	bankTID
	bankUser
	bankCount
)

// bankNames are the banks as commands name them.
var bankNames = [bankCount]string{"reserved", "epc", "tid", "user"}

// gen2Chip is a type of UHF chip.
type gen2Chip struct {
	tid      [4]byte // class, flags, designer, model
	tidWords int
	epcWords int // the longest EPC
	user     int // words
	reserved int // words: kill and access password
}

// gen2Chips follow data sheets and dumps of tags.
func gen2Chips() map[string]gen2Chip {
	return map[string]gen2Chip{
		"monza-r6":     {[4]byte{0xE2, 0x80, 0x11, 0x60}, 6, 6, 0, 0},
		"monza-r6p":    {[4]byte{0xE2, 0x80, 0x11, 0x70}, 6, 8, 4, 4},
		"monza-4qt":    {[4]byte{0xE2, 0x80, 0x11, 0x05}, 12, 8, 32, 4},
		"monza-4e":     {[4]byte{0xE2, 0x80, 0x11, 0x0C}, 6, 31, 8, 4},
		"monza-x8k":    {[4]byte{0xE2, 0x80, 0x11, 0x50}, 6, 8, 512, 4},
		"m730":         {[4]byte{0xE2, 0x80, 0x11, 0x91}, 6, 8, 0, 2},
		"higgs-3":      {[4]byte{0xE2, 0x00, 0x34, 0x12}, 12, 6, 32, 4},
		"higgs-9":      {[4]byte{0xE2, 0x80, 0x38, 0x21}, 20, 6, 43, 4},
		"ucode-8":      {[4]byte{0xE2, 0x80, 0x68, 0x94}, 6, 8, 0, 4},
		"ucode-9":      {[4]byte{0xE2, 0x80, 0x69, 0x95}, 6, 6, 0, 2},
		"ucode-7xm-1k": {[4]byte{0xE2, 0x80, 0x6D, 0x12}, 6, 28, 64, 4},
		"ucode-7xm-2k": {[4]byte{0xE2, 0x80, 0x6F, 0x12}, 6, 28, 128, 4},
		"ucode-dna":    {[4]byte{0xE2, 0xC0, 0x68, 0x92}, 6, 14, 192, 4},
	}
}

// gen2Tag is a UHF tag. What it holds stays with it when it leaves the field.
type gen2Tag struct {
	chip     string
	banks    [bankCount][]byte
	locked   [bankCount]bool
	password uint32
	rssi     int // dBm at the reader when that sends 26 dBm
	read     int // how often a host was told of it since it came
}

// newGen2Tag makes a tag as it comes from the maker, with an EPC written to it.
func newGen2Tag(epc, chip string) (*gen2Tag, error) {
	id, err := hex.DecodeString(epc)
	if err != nil || len(id) == 0 || len(id)%2 != 0 {
		return nil, fmt.Errorf("EPC %q is not words of four hex digits, write it like 3034257BF7194E4000001A85", epc)
	}
	chips := gen2Chips()
	c, ok := chips[chip]
	if !ok {
		return nil, fmt.Errorf("no chip %q, there are: %s", chip, strings.Join(slices.Sorted(maps.Keys(chips)), " "))
	}
	if len(id) > 2*c.epcWords {
		return nil, fmt.Errorf("EPC %q has %d bytes, a %s holds %d", epc, len(id), chip, 2*c.epcWords)
	}
	t := &gen2Tag{chip: chip, rssi: usualRSSI}
	t.banks[bankReserved] = make([]byte, 2*c.reserved)
	t.banks[bankUser] = make([]byte, 2*c.user)
	t.banks[bankTID] = make([]byte, 2*c.tidWords)
	copy(t.banks[bankTID], c.tid[:])
	serial := fnv.New64a()
	serial.Write(id)
	binary.BigEndian.PutUint64(t.banks[bankTID][4:12], serial.Sum64()&0x00FFFFFFFFFFFFFF|0x20<<56)
	t.banks[bankEPC] = make([]byte, 4+2*c.epcWords)
	t.banks[bankEPC][2] = byte(len(id) / 2 << 3)
	if c.user > 0 {
		t.banks[bankEPC][2] |= 0x04 // user memory indicator
	}
	copy(t.banks[bankEPC][4:], id)
	t.reseal()
	return t, nil
}

// pcEPC is what the tag answers to an inventory: PC and as much EPC as that
// says.
func (t *gen2Tag) pcEPC() []byte {
	bank := t.banks[bankEPC]
	return bank[2:min(len(bank), 4+int(bank[2]>>3)*2)]
}

func (t *gen2Tag) id() string { return strings.ToUpper(hex.EncodeToString(t.pcEPC()[2:])) }

// reseal computes the CRC that the tag keeps of its PC and EPC.
func (t *gen2Tag) reseal() {
	binary.BigEndian.PutUint16(t.banks[bankEPC], gen2CRC(t.pcEPC()))
}

// matches reports whether bits of a bank from a place on are those of a mask, as
// the command Select asks.
func (t *gen2Tag) matches(bank, start, length int, mask []byte) bool {
	memory := t.banks[bank]
	if start+length > 8*len(memory) || length > 8*len(mask) {
		return false
	}
	bit := func(b []byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }
	for i := range length {
		if bit(memory, start+i) != bit(mask, i) {
			return false
		}
	}
	return true
}

// gen2CRC is the CRC-16 of a tag, bit by bit as its logic does it.
func gen2CRC(b []byte) uint16 {
	register := uint32(0xFFFF)
	for i := range 8 * len(b) {
		in := uint32(b[i/8]>>(7-i%8)) & 1
		out := register >> 15 & 1
		register = register << 1 & 0xFFFF
		if in != out {
			register ^= 0x1021
		}
	}
	return uint16(register ^ 0xFFFF)
}
