package emulate

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tag is an ISO/IEC 14443 A tag as a PN532 sees it.
type tag struct {
	uid  []byte
	atqa [2]byte // as the chip reports SENS_RES: high byte first
	sak  byte
	ats  []byte // answer to select, TL first; only tags that speak ISO/IEC 14443-4
	read int    // how often a host was told of it
}

// tagKind is what a type of tag answers, by the size of its identifier.
type tagKind struct {
	sizes []int
	atqa  byte // for 4 bytes; 0x40 is added for 7
	sak   byte
	ats   []byte
}

// tagKinds follow NXP AN10833, MIFARE type identification procedure.
func tagKinds() map[string]tagKind {
	return map[string]tagKind{
		"ntag213":    {sizes: []int{7}, atqa: 0x04, sak: 0x00},
		"ntag215":    {sizes: []int{7}, atqa: 0x04, sak: 0x00},
		"ntag216":    {sizes: []int{7}, atqa: 0x04, sak: 0x00},
		"ultralight": {sizes: []int{7}, atqa: 0x04, sak: 0x00},
		"classic1k":  {sizes: []int{4, 7}, atqa: 0x04, sak: 0x08},
		"classic4k":  {sizes: []int{4, 7}, atqa: 0x02, sak: 0x18},
		"desfire":    {sizes: []int{7}, atqa: 0x04, sak: 0x20, ats: []byte{0x06, 0x75, 0x77, 0x81, 0x02, 0x80}},
	}
}

// newTag makes a tag of an identifier in hex and a type; no type means
// classic1k for four bytes and ntag213 for seven.
func newTag(uid, kind string) (*tag, error) {
	id, err := hex.DecodeString(uid)
	if err != nil {
		return nil, fmt.Errorf("identifier %q is not hexadecimal, write it like 04A1B2C3D4E580", uid)
	}
	if len(id) != 4 && len(id) != 7 {
		return nil, fmt.Errorf("identifier %q has %d bytes, tags have 4 or 7", uid, len(id))
	}
	if kind == "" {
		kind = map[int]string{4: "classic1k", 7: "ntag213"}[len(id)]
	}
	kinds := tagKinds()
	k, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("no type of tag %q, there are: %s", kind, strings.Join(slices.Sorted(maps.Keys(kinds)), " "))
	}
	if !slices.Contains(k.sizes, len(id)) {
		return nil, fmt.Errorf("identifier %q has %d bytes, a tag of type %s has %d", uid, len(id), kind, k.sizes[0])
	}
	t := &tag{uid: id, atqa: [2]byte{0x00, k.atqa}, sak: k.sak, ats: k.ats}
	switch {
	case len(id) == 7:
		t.atqa[1] |= 0x40
		if kind == "desfire" {
			t.atqa[0] = 0x03
		}
	}
	return t, nil
}

func (t *tag) id() string { return strings.ToUpper(hex.EncodeToString(t.uid)) }

// cascaded is the identifier as the levels of anticollision carry it, with the
// cascade tag in front of a part that is not the last.
func (t *tag) cascaded() []byte {
	if len(t.uid) == 7 {
		return append([]byte{0x88}, t.uid...)
	}
	return t.uid
}
