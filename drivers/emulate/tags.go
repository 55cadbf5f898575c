package emulate

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// rememberedTags bounds how many tags are remembered. The one that was presented
// longest ago is forgotten first, unless it is in a field.
const rememberedTags = 4096

// Tags are tags with what is stored on them, in the fields of readers and out of
// them: a tag that is presented again has kept its memory. Readers that share
// them hand tags to each other, one at a time, as the readers of a line do.
type Tags struct {
	mu      sync.Mutex
	cards   map[string]*card
	order   []string        // identifiers, the longest unused first
	fielded map[string]bool // identifiers of tags in a field
}

// NewTags returns no tags yet.
func NewTags() *Tags {
	return &Tags{cards: map[string]*card{}, fielded: map[string]bool{}}
}

// present takes a tag into a field. A new tag, and one of another type than
// before, is as its maker delivers it.
func (s *Tags) present(uid, kind string) (*card, error) {
	c, err := newCard(uid, kind)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.id()
	if s.fielded[id] {
		return nil, fmt.Errorf("tag %s is in the field of another reader, remove it there first", id)
	}
	if old := s.cards[id]; old != nil && (kind == "" || kind == old.kind) {
		c = old
	}
	c.mu.Lock()
	c.read = 0
	c.mu.Unlock()
	s.cards[id], s.fielded[id] = c, true
	s.order = append(slices.DeleteFunc(s.order, func(x string) bool { return x == id }), id)
	for i := 0; len(s.order) > rememberedTags && i < len(s.order); i++ {
		if x := s.order[i]; !s.fielded[x] {
			delete(s.cards, x)
			s.order = slices.Delete(s.order, i, i+1)
			i--
		}
	}
	return c, nil
}

// remove takes a tag out of its field.
func (s *Tags) remove(c *card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fielded, c.id())
	c.reset()
}

// stored returns a tag that was presented at some time, locked.
func (s *Tags) stored(uid string) (c *card, unlock func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c = s.cards[strings.ToUpper(uid)]
	if c == nil {
		return nil, nil, fmt.Errorf("no tag %s was presented", strings.ToUpper(uid))
	}
	if c.chip.memory().unit == 0 {
		return nil, nil, fmt.Errorf("tag %s is a %s, whose memory is not emulated", c.id(), c.kind)
	}
	c.mu.Lock()
	return c, c.mu.Unlock, nil
}

// Memory returns all that a tag stores, in the order of its pages or blocks,
// with keys and passwords that no reader can read.
func (s *Tags) Memory(uid string) ([]byte, error) {
	c, unlock, err := s.stored(uid)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(c.chip.memory().bytes), nil
}

// SetMemory stores bytes from a page or block on, whatever locks and rights say.
func (s *Tags) SetMemory(uid string, unit int, b []byte) error {
	c, unlock, err := s.stored(uid)
	if err != nil {
		return err
	}
	defer unlock()
	m := c.chip.memory()
	if unit < 0 || unit >= m.units() || len(b) > len(m.bytes)-unit*m.unit {
		return fmt.Errorf("%d bytes from %d on do not fit tag %s, which has 0 to %d of %d bytes each", len(b), unit, c.id(), m.units()-1, m.unit)
	}
	copy(m.bytes[unit*m.unit:], b)
	return nil
}

// tagHelp lists the commands of do.
const tagHelp = `memory UID [FIRST [LAST]]    show pages or blocks
write UID PAGE HEX           store bytes from a page or block on, past all locks
wipe UID                     make the tag as its maker delivers it
lock UID [PAGE]              make a page or block read-only, or all that are for use
damage UID PAGE              flip a bit of a page or block
tear UID [N]                 cut the next write, or the Nth from now, as when the tag is pulled away`

// do carries out a command for a tag's memory. It reports whether the command is
// one of its own, and what it is to show.
func (s *Tags) do(words []string) (show string, own bool, err error) {
	if len(words) == 0 || !slices.Contains([]string{"memory", "write", "wipe", "lock", "damage", "tear"}, words[0]) {
		return "", false, nil
	}
	bad := fmt.Errorf("no command %q, write help for a list", strings.Join(words, " "))
	if len(words) < 2 || len(words) > 4 {
		return "", true, bad
	}
	verb, uid, rest := words[0], words[1], words[2:]
	if verb == "write" {
		return "", true, s.write(uid, rest, bad)
	}
	numbers := make([]int, len(rest))
	for i, w := range rest {
		if numbers[i], err = strconv.Atoi(w); err != nil || numbers[i] < 0 {
			return "", true, fmt.Errorf("%q is no number of a page or block", w)
		}
	}
	c, unlock, err := s.stored(uid)
	if err != nil {
		return "", true, err
	}
	defer unlock()
	m := c.chip.memory()
	if verb != "tear" && slices.ContainsFunc(numbers, func(n int) bool { return n >= m.units() }) {
		return "", true, fmt.Errorf("tag %s has pages or blocks 0 to %d", c.id(), m.units()-1)
	}
	switch n := len(numbers); {
	case verb == "memory":
		return c.dump(numbers), true, nil
	case verb == "wipe" && n == 0:
		c.chip = cardKinds()[c.kind].chip(c.uid)
	case verb == "lock" && n <= 1:
		err = c.chip.lock(append(numbers, -1)[0])
	case verb == "damage" && n == 1:
		m.at(numbers[0])[0] ^= 0x08
	case verb == "tear" && n <= 1:
		m.tear = append(numbers, 1)[0]
	default:
		err = bad
	}
	return "", true, err
}

func (s *Tags) write(uid string, rest []string, bad error) error {
	if len(rest) != 2 {
		return bad
	}
	n, err := strconv.Atoi(rest[0])
	if err != nil {
		return fmt.Errorf("%q is no number of a page or block", rest[0])
	}
	b, err := hex.DecodeString(rest[1])
	if err != nil {
		return fmt.Errorf("content %q is not hexadecimal", rest[1])
	}
	return s.SetMemory(uid, n, b)
}

// dump writes pages or blocks a line each: no bounds mean all, one that page.
func (c *card) dump(bounds []int) string {
	m := c.chip.memory()
	first, last := 0, m.units()-1
	if len(bounds) > 0 {
		first, last = bounds[0], bounds[len(bounds)-1]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tag %s %s", c.id(), c.kind)
	for n := first; n <= last; n++ {
		fmt.Fprintf(&b, "\n%4d  %X", n, m.at(n))
	}
	return b.String()
}
