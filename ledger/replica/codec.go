package replica

import (
	"encoding/binary"

	"traveler.example/ledger"
)

// codec writes the fields of a record one after the other, or reads them: each
// record names its fields once for both. CBOR took most of a commit's time and a
// third more bytes; these records never leave the store.
type codec struct {
	own     ledger.Hash // with which the record's key begins: written as one byte
	out     []byte
	in      []byte
	reading bool
	failed  bool
}

func newCodec(key string) codec {
	var c codec
	if len(key) > hashSize {
		c.own = hashOf(key[1:])
	}
	return c
}

// take returns the next n bytes that are read; nil, if there are fewer.
func (c *codec) take(n uint64) []byte {
	if c.failed || n > uint64(len(c.in)) {
		c.failed = true
		return nil
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}

// How a hash is written: not at all where it is zero or the key's own.
const (
	hashZero = iota
	hashOwn
	hashGiven
)

func (c *codec) hash(h *ledger.Hash) {
	if c.reading {
		form := c.take(1)
		switch {
		case c.failed:
		case form[0] == hashZero:
			*h = ledger.Hash{}
		case form[0] == hashOwn:
			*h = c.own
		default:
			copy(h[:], c.take(hashSize))
		}
		return
	}
	switch {
	case h.IsZero():
		c.out = append(c.out, hashZero)
	case *h == c.own:
		c.out = append(c.out, hashOwn)
	default:
		c.out = append(append(c.out, hashGiven), h[:]...)
	}
}

// id writes a key id; a zero one as one byte.
func (c *codec) id(id *ledger.KeyID) {
	given := !id.IsZero()
	if c.flag(&given); !given {
		return
	}
	if c.reading {
		copy(id[:], c.take(keyIDSize))
		return
	}
	c.out = append(c.out, id[:]...)
}

func (c *codec) place(p *ledger.Place) {
	c.id(&p.Author)
	number(c, &p.Height)
	c.hash(&p.Block)
	number(c, &p.Index)
}

func (c *codec) flag(f *bool) {
	n := uint8(0)
	if *f {
		n = 1
	}
	number(c, &n)
	*f = n == 1
}

func (c *codec) text(s *string) { text(c, s) }

// text writes the length of a string and the string.
func text[S ~string](c *codec, s *S) {
	n := uint64(len(*s))
	number(c, &n)
	if c.reading {
		*s = S(c.take(n))
		return
	}
	c.out = append(c.out, *s...)
}

// number writes a number as a varint.
func number[N ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](c *codec, n *N) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, uint64(*n))
		return
	}
	v, size := binary.Uvarint(c.in)
	if size <= 0 || uint64(N(v)) != v {
		c.failed = true
		return
	}
	c.in = c.in[size:]
	*n = N(v)
}

// list writes how many elements there are, and each.
func list[T any](c *codec, l *[]T, element func(*T)) {
	n := uint64(len(*l))
	number(c, &n)
	if !c.reading {
		for i := range *l {
			element(&(*l)[i])
		}
		return
	}
	if c.failed || n > uint64(len(c.in)) { // every element takes a byte at least
		c.failed = true
		return
	}
	if n == 0 {
		return
	}
	*l = make([]T, n)
	for i := range *l {
		element(&(*l)[i])
	}
}
