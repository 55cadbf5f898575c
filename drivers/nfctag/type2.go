package nfctag

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// Commands of tags of type 2 (NTAG21x, 9).
const (
	cmdRead       = 0x30
	cmdWrite      = 0xA2
	cmdFastRead   = 0x3A
	cmdGetVersion = 0x60
	cmdAuth3DES   = 0x1A // AUTHENTICATE of Ultralight C, first part
)

const (
	pageSize  = 4
	userPage  = 4 // the first page of the user area
	readSize  = 4 * pageSize
	ccPage    = 3
	ccMagic   = 0xE1
	ccVersion = 0x10
)

// model is a chip of type 2.
type model struct {
	name string
	user int // bytes of user area
	// container is the size byte of a capability container that this chip gets
	// from its maker, in units of eight bytes.
	container byte
	// lockStep is how many pages each dynamic lock bit stands for, from page 16
	// on; the bits lie in the page behind the user area. 0: unknown or none.
	lockStep int
}

// modelOf returns the chip that answers GET_VERSION with a product type and a
// storage size.
func modelOf(product, storage byte) (model, bool) {
	switch [2]byte{product, storage} {
	case [2]byte{0x04, 0x0B}:
		return model{name: "NTAG210", user: 48, container: 0x06}, true
	case [2]byte{0x04, 0x0E}:
		return model{name: "NTAG212", user: 128, container: 0x10, lockStep: 2}, true
	case [2]byte{0x04, 0x0F}:
		return model{name: "NTAG213", user: 144, container: 0x12, lockStep: 2}, true
	case [2]byte{0x04, 0x11}:
		return model{name: "NTAG215", user: 504, container: 0x3E, lockStep: 16}, true
	case [2]byte{0x04, 0x13}:
		return model{name: "NTAG216", user: 888, container: 0x6D, lockStep: 16}, true
	case [2]byte{0x03, 0x0B}:
		return model{name: "MIFARE Ultralight EV1 MF0UL11", user: 48, container: 0x06}, true
	case [2]byte{0x03, 0x0E}:
		return model{name: "MIFARE Ultralight EV1 MF0UL21", user: 128, container: 0x10, lockStep: 2}, true
	}
	return model{}, false
}

// subtypeI2C marks chips whose pages lie otherwise, though size and type agree.
const subtypeI2C = 0x05

// The chips that do not know GET_VERSION.
var (
	ultralight  = model{name: "MIFARE Ultralight", user: 48, container: 0x06}
	ultralightC = model{name: "MIFARE Ultralight C", user: 144, container: 0x12}
	ntag203     = model{name: "NTAG203", user: 144, container: 0x12}
)

type type2 struct {
	*Tag
	model
	version   bool // it knows GET_VERSION, hence FAST_READ
	container [4]byte
}

func newType2(ctx context.Context, t *Tag) (*type2, error) {
	m := &type2{Tag: t}
	version, err := t.ask(ctx, tries, 8, cmdGetVersion)
	switch {
	case err == nil:
		m.version = true
		known, ok := modelOf(version[2], version[6])
		if !ok || version[3] == subtypeI2C {
			known = model{name: fmt.Sprintf("type 2 tag, version % X", version)}
		}
		m.model = known
	case !errors.Is(err, ErrUnanswered):
		return nil, err
	}
	head, err := t.ask(ctx, tries, readSize, cmdRead, 0)
	if err != nil {
		return nil, m.refusal(ctx, fmt.Errorf("identify: %w", err))
	}
	m.container = [4]byte(head[ccPage*pageSize:])
	if !m.version {
		if m.model, err = m.unversioned(ctx); err != nil {
			return nil, err
		}
	}
	if m.user == 0 { // an unknown chip has what it says, or what the smallest has
		m.user = 48
		if m.formatted() {
			m.user = int(m.container[2]) * 8
		}
	}
	return m, nil
}

// unversioned tells the chips without GET_VERSION apart by trial: a page that
// only the longer ones have, and a command that only one of them knows.
func (m *type2) unversioned(ctx context.Context) (model, error) {
	if _, err := m.ask(ctx, tries, readSize, cmdRead, 16); errors.Is(err, ErrUnanswered) {
		return ultralight, nil
	} else if err != nil {
		return model{}, err
	}
	_, err := m.ask(ctx, 2, 9, cmdAuth3DES, 0x00)
	switch {
	case errors.Is(err, ErrUnanswered):
		return ntag203, nil
	case err != nil:
		return model{}, err
	}
	return ultralightC, m.reselect(ctx) // out of the authentication that was begun
}

// formatted reports whether the capability container speaks of NDEF, in a
// version whose major number is known (NFC Forum Type 2 Tag, 6.1).
func (m *type2) formatted() bool {
	return m.container[0] == ccMagic && m.container[1]>>4 == ccVersion>>4 && m.container[2] != 0
}

func (m *type2) layout() drivers.Layout {
	l := drivers.Layout{Type: m.name, Sizes: map[drivers.Area]int{drivers.AreaUser: m.user}, NDEF: m.formatted()}
	if l.NDEF {
		l.NDEFSize = min(m.user, int(m.container[2])*8)
	}
	return l
}

func (m *type2) lost() {}

func (m *type2) read(ctx context.Context, off int, b []byte) error {
	first, last := userPage+off/pageSize, userPage+(off+len(b)-1)/pageSize
	pages, err := m.pages(ctx, first, last)
	if err == nil {
		copy(b, pages[off%pageSize:])
	}
	return err
}

// pages reads whole pages, the last one included.
func (m *type2) pages(ctx context.Context, first, last int) ([]byte, error) {
	all := make([]byte, 0, (last-first+1)*pageSize)
	for first <= last {
		some, err := m.some(ctx, first, last)
		if err != nil {
			return nil, m.refusal(ctx, fmt.Errorf("read page %d: %w", first, err))
		}
		all = append(all, some...)
		first += len(some) / pageSize
	}
	return all, nil
}

// some reads as many pages from first on as one command gives.
func (m *type2) some(ctx context.Context, first, last int) ([]byte, error) {
	if n := min(last-first+1, m.act.Longest/pageSize); m.version && n > readSize/pageSize {
		pages, err := m.ask(ctx, 2, n*pageSize, cmdFastRead, byte(first), byte(first+n-1))
		if !errors.Is(err, ErrUnanswered) {
			return pages, err
		}
		m.version = false // a copy that knows its version only; READ decides
	}
	pages, err := m.ask(ctx, tries, readSize, cmdRead, byte(first))
	if err != nil {
		return nil, err
	}
	return pages[:min(readSize, (last-first+1)*pageSize)], nil // behind its end the tag goes on at page 0
}

// write writes the pages that differ.
func (m *type2) write(ctx context.Context, off int, b []byte) error {
	first, last := userPage+off/pageSize, userPage+(off+len(b)-1)/pageSize
	old, err := m.pages(ctx, first, last)
	if err != nil {
		return err
	}
	wanted := bytes.Clone(old)
	copy(wanted[off%pageSize:], b)
	if bytes.Equal(old, wanted) {
		return nil
	}
	for p := first; p <= last; p++ {
		at := (p - first) * pageSize
		if page := wanted[at : at+pageSize]; !bytes.Equal(page, old[at:at+pageSize]) {
			if err := m.put(ctx, p, page); err != nil {
				return err
			}
		}
	}
	return m.verify(ctx, first, last, wanted)
}

func (m *type2) put(ctx context.Context, page int, b []byte) error {
	if _, err := m.ask(ctx, tries, 0, append([]byte{cmdWrite, byte(page)}, b...)...); err != nil {
		return m.refusal(ctx, fmt.Errorf("write page %d: %w", page, err))
	}
	return nil
}

func (m *type2) verify(ctx context.Context, first, last int, wanted []byte) error {
	now, err := m.pages(ctx, first, last)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	for i := range now {
		if now[i] != wanted[i] {
			return fmt.Errorf("%w: page %d holds % X", drivers.ErrUnverified, first+i/pageSize, now[i/pageSize*pageSize:][:pageSize])
		}
	}
	return nil
}

// refusal tells a tag that refuses from one that hardly hears: the former goes
// on obeying a command that no lock and no password forbids.
func (m *type2) refusal(ctx context.Context, cause error) error {
	if !errors.Is(cause, ErrUnanswered) {
		return cause
	}
	for range 2 {
		var err error
		if m.version {
			_, err = m.once(ctx, 8, cmdGetVersion)
		} else {
			_, err = m.once(ctx, readSize, cmdRead, 0)
		}
		if errors.Is(err, ErrUnanswered) {
			return fmt.Errorf("%w: it hardly answers: %w", drivers.ErrTagGone, cause)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", drivers.ErrLocked, cause)
}
