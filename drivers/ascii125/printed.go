package ascii125

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"traveler.example/drivers"
)

// EM4100 is the identifier of a 125 kHz tag, as the forms that are printed on
// cards and fobs tell it.
type EM4100 [emSize]byte

// ParseEM4100 returns the identifier of a tag that reads as EM4100.
func ParseEM4100(t drivers.Tag) (EM4100, error) {
	id, err := hex.DecodeString(t.ID)
	if err != nil || t.Technology != drivers.LF125 || len(id) != emSize {
		return EM4100{}, fmt.Errorf("tag %s (%s) is no EM4100: one has %d hex digits and is of technology %s", t.ID, t.Technology, 2*emSize, drivers.LF125)
	}
	return EM4100(id), nil
}

// Version returns the first byte: version or customer. No printed form holds it.
func (e EM4100) Version() byte { return e[0] }

// Number returns the last four bytes.
func (e EM4100) Number() uint32 { return binary.BigEndian.Uint32(e[1:]) }

// Decimal returns the number as ten digits: "0015839939".
func (e EM4100) Decimal() string { return fmt.Sprintf("%010d", e.Number()) }

// Facility returns facility and number, the last three bytes as Wiegand of 26
// bits parts them: "241,45763".
func (e EM4100) Facility() string {
	return fmt.Sprintf("%03d,%05d", e[2], binary.BigEndian.Uint16(e[3:]))
}

// Animal is the code of ISO 11784 in an FDX-B tag.
type Animal struct {
	// Country is a country of ISO 3166 as number, a maker of tags (900 to 998) or
	// 999 for tests. Ten bits, so broken tags can show up to 1023.
	Country uint16
	// National is the number that country or maker gave: 38 bits.
	National uint64
}

// ParseAnimal returns the code of an FDX-B tag.
func ParseAnimal(t drivers.Tag) (Animal, error) {
	id, err := hex.DecodeString(t.ID)
	if err != nil || t.Technology != drivers.FDXB || len(id) != animalSize {
		return Animal{}, fmt.Errorf("tag %s (%s) is no FDX-B: one has %d hex digits and is of technology %s", t.ID, t.Technology, 2*animalSize, drivers.FDXB)
	}
	v := binary.BigEndian.Uint64(append(make([]byte, 8-animalSize), id...))
	return Animal{Country: uint16(v >> 38), National: v & (1<<38 - 1)}, nil
}

// String returns the fifteen digits that are printed on ear tags and passports:
// three of the country, twelve of the national code.
func (a Animal) String() string { return fmt.Sprintf("%03d%012d", a.Country, a.National) }
