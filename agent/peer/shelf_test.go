package peer

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"traveler.example/ledger"
)

// shelf is a small replica of real blocks: links, roster and signatures are
// checked, transactions are not.
type shelf struct {
	genesis  ledger.Genesis
	net      ledger.NetworkID
	register *ledger.Register
	blocks   map[ledger.Hash]ledger.Block
	chains   map[ledger.KeyID][]ledger.Ref // by height, hash
	heads    []ledger.Ref
	evidence map[ledger.KeyID]ledger.Evidence
}

func newShelf(g ledger.Genesis, statements []ledger.Statement) *shelf {
	s := &shelf{
		genesis: g, net: g.Network(), register: ledger.NewRegister(g), blocks: map[ledger.Hash]ledger.Block{},
		chains: map[ledger.KeyID][]ledger.Ref{}, evidence: map[ledger.KeyID]ledger.Evidence{},
	}
	for _, st := range statements {
		if err := s.register.Add(st); err != nil {
			panic(err)
		}
	}
	return s
}

func (s *shelf) Has(h ledger.Hash) bool { _, ok := s.blocks[h]; return ok }

func (s *shelf) Block(h ledger.Hash) (ledger.Block, bool) { b, ok := s.blocks[h]; return b, ok }

func (s *shelf) Statement(h ledger.Hash) (ledger.Statement, bool) { return s.register.Statement(h) }

func (s *shelf) Evidence(id ledger.KeyID) (ledger.Evidence, bool) {
	e, ok := s.evidence[id]
	return e, ok
}

func (s *shelf) Blocks(author ledger.KeyID, from, to uint64) iter.Seq[ledger.Block] {
	return func(yield func(ledger.Block) bool) {
		for _, r := range s.chains[author] {
			if r.Height >= from && r.Height <= to && !yield(s.blocks[r.Hash]) {
				return
			}
		}
	}
}

func (s *shelf) view() View {
	r := s.register.Current()
	v := View{Heads: s.heads, Roster: s.register.Heads(), Witnesses: r.Witnesses(), Store: s}
	for _, id := range r.Identities() {
		if id.Roles&ledger.RoleGateway != 0 {
			v.Gateways = append(v.Gateways, id.ID)
		}
	}
	for id := range s.evidence {
		v.Evidence = append(v.Evidence, id)
	}
	slices.SortFunc(v.Gateways, compareKeys)
	slices.SortFunc(v.Witnesses, compareKeys)
	slices.SortFunc(v.Evidence, compareKeys)
	v.Last = v.Evidence
	return v
}

func (s *shelf) mark(author ledger.KeyID) func(ledger.Hash) (ledger.Mark, bool) {
	return func(h ledger.Hash) (ledger.Mark, bool) {
		if h == ledger.Hash(s.net) {
			return ledger.GenesisMark(s.net, author), true
		}
		b, ok := s.blocks[h]
		return ledger.MarkOf(b.UnverifiedBlock), ok
	}
}

// seal makes the next block of a chain, after a given one, with a misroute in it.
func (s *shelf) seal(name string, prev ledger.Hash, also *ledger.Mark) ledger.Ref {
	author := idOf(name)
	if prev.IsZero() {
		prev = s.view().top(author).Hash
	}
	if prev.IsZero() {
		prev = ledger.Hash(s.net)
	}
	mark, ok := s.mark(author)(prev)
	if !ok {
		panic("prev is not held")
	}
	at := began.UnixMilli() + int64(mark.Ref.Height) + int64(len(s.blocks))
	tx := must(ledger.NewTx(s.net, ledger.Tx{
		Sender: author, Time: at, Item: ledger.Hash{1}, Body: ledger.Misroute{Station: "drill-1", Tag: fmt.Sprintf("E280%020d", len(s.blocks))},
	}))
	b := must(ledger.Seal(s.net, signer(name), ledger.Draft{
		Prev: mark, Also: also, Skip: must(ledger.SkipFrom(mark, s.mark(author))), Time: at,
		Roster: must(s.register.Cite(nil)), Txs: []ledger.Tx{tx},
	}))
	s.put(b)
	return b.Ref()
}

func (s *shelf) put(b ledger.Block) {
	ref, h := b.Ref(), b.Header()
	s.blocks[ref.Hash] = b
	chain := append(s.chains[ref.Author], ref)
	slices.SortFunc(chain, compareRefs)
	s.chains[ref.Author] = chain
	s.heads = slices.DeleteFunc(append(slices.Clone(s.heads), ref), func(r ledger.Ref) bool { return r.Hash == h.Prev || r.Hash == h.Also })
	slices.SortFunc(s.heads, compareRefs)
}

// ingest does what the replica does with blocks and statements of peers.
func (s *shelf) ingest(in Ingest) Committed {
	var c Committed
	for _, st := range in.Statements {
		var gap *ledger.GapError
		if err := s.register.Add(st); errors.As(err, &gap) {
			for _, h := range gap.Missing {
				c.Gaps = append(c.Gaps, Gap{Statement: h})
			}
		} else if err != nil {
			c.Refused = append(c.Refused, Refusal{Err: err})
		} else {
			c.Statements = append(c.Statements, st.Hash())
		}
	}
	for _, b := range in.Blocks {
		s.ingestBlock(b, &c)
	}
	for _, e := range in.Evidence {
		a, b, err := e.Verify(s.net, func(id ledger.KeyID) (ledger.PublicKey, bool) {
			who, ok := s.register.Current().Identity(id)
			return who.Key, ok
		})
		if err != nil {
			c.Refused = append(c.Refused, Refusal{Err: err})
			continue
		}
		s.evidence[a.Author] = e
		c.Evidence = append(c.Evidence, Fork{A: a, B: b})
	}
	return c
}

func (s *shelf) ingestBlock(b ledger.UnverifiedBlock, c *Committed) {
	h, ref := b.Header(), b.Ref()
	if s.Has(ref.Hash) {
		return
	}
	prev, ok := s.mark(ref.Author)(h.Prev)
	if !ok {
		c.Gaps = append(c.Gaps, Gap{Of: ref, Want: ledger.Ref{Author: ref.Author, Height: ref.Height - 1, Hash: h.Prev}})
		return
	}
	if !h.Also.IsZero() && !s.Has(h.Also) {
		c.Gaps = append(c.Gaps, Gap{Of: ref, Want: ledger.Ref{Author: ref.Author, Hash: h.Also}})
		return
	}
	r, err := s.register.At(h.Roster)
	var gap *ledger.GapError
	if errors.As(err, &gap) {
		for _, m := range gap.Missing {
			c.Gaps = append(c.Gaps, Gap{Of: ref, Statement: m})
		}
		return
	}
	if prev.Ref.Height+1 != h.Height {
		c.Refused = append(c.Refused, Refusal{Of: ref, Err: ledger.ErrLinks})
		return
	}
	block, err := verify(b, r)
	switch {
	case errors.Is(err, ledger.ErrSignature):
		c.Gaps = append(c.Gaps, Gap{Of: ref, Want: ref})
	case err != nil:
		c.Refused = append(c.Refused, Refusal{Of: ref, Err: err})
	default:
		s.put(block)
		c.Blocks = append(c.Blocks, ref)
	}
}

// verified are blocks whose signatures held before: the same blocks are played
// many times, and with the race detector a signature is dear.
var verified = map[ledger.Hash]bool{}

func verify(b ledger.UnverifiedBlock, r *ledger.Roster) (ledger.Block, error) {
	if verified[b.Hash()] && r.Has(b.Header().Author, ledger.RoleGateway) {
		return b.Trusted(), nil
	}
	block, err := b.Verify(r)
	verified[b.Hash()] = err == nil
	return block, err
}
