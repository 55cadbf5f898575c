package nfctag

import (
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// lockPage holds the static lock bytes, the last two of its four.
const lockPage = 2

// writable looks at the capability container and the lock bits.
func (m *type2) writable(ctx context.Context, off, n int) error {
	if m.formatted() && m.container[3]&0x0F != 0 {
		return fmt.Errorf("%w: its capability container says read-only: % X", drivers.ErrLocked, m.container)
	}
	first, last := userPage+off/pageSize, userPage+(off+n-1)/pageSize
	head, err := m.ask(ctx, tries, readSize, cmdRead, 0)
	if err != nil {
		return m.refusal(ctx, fmt.Errorf("read lock bytes: %w", err))
	}
	static, dynamic := [2]byte(head[lockPage*pageSize+2:]), [2]byte{}
	if m.lockStep > 0 && last >= firstDynamic {
		page, err := m.ask(ctx, tries, readSize, cmdRead, byte(userPage+m.user/pageSize))
		switch {
		case err == nil:
			dynamic = [2]byte(page)
		case !errors.Is(err, ErrUnanswered):
			return err
		} // else they are hidden behind a password, and the write will show
	}
	for p := first; p <= last; p++ {
		if locked(p, static, dynamic, m.lockStep) {
			return fmt.Errorf("%w: page %d", drivers.ErrLocked, p)
		}
	}
	return nil
}

// firstDynamic is the first page that a dynamic lock bit stands for.
const firstDynamic = 16

// locked reads the lock bits of a page of the user area (NTAG21x, 8.5.2 and
// 8.5.3): static ones for pages 3 to 15, one each, from bit 3 of the first byte
// on; dynamic ones for step pages each.
func locked(page int, static, dynamic [2]byte, step int) bool {
	bits, at := static, page
	if page >= firstDynamic {
		if step == 0 {
			return false
		}
		bits, at = dynamic, (page-firstDynamic)/step
	}
	return at < 16 && bits[at/8]&(1<<(at%8)) != 0
}

// format writes an empty message and then the capability container, whose bits
// can be set only once (NFC Forum Type 2 Tag, 6.1).
func (m *type2) format(ctx context.Context) error {
	if m.model.container == 0 {
		return fmt.Errorf("%w: it is not known what a %s may be formatted to", drivers.ErrNoArea, m.name)
	}
	container := [4]byte{ccMagic, ccVersion, m.model.container, 0x00}
	for i, old := range m.container {
		if !m.formatted() && old&^container[i] != 0 {
			return fmt.Errorf("%w: its capability container % X cannot become % X", drivers.ErrLocked, m.container, container)
		}
	}
	empty := []byte{0x03, 0x00, 0xFE, 0x00}
	if err := m.writable(ctx, 0, len(empty)); err != nil {
		return err
	}
	if err := m.write(ctx, 0, empty); err != nil || m.formatted() {
		return err
	}
	if err := m.put(ctx, ccPage, container[:]); err != nil {
		return err
	}
	m.container = container
	return m.verify(ctx, ccPage, ccPage, container[:])
}
