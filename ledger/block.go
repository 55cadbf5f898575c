package ledger

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
)

// Header is what a block's author signs (paper §V-E; PROTOCOL.md §7).
type Header struct {
	Version uint8  `cbor:"1,keyasint"`
	Author  KeyID  `cbor:"2,keyasint"`
	Height  uint64 `cbor:"3,keyasint"`
	Prev    Hash   `cbor:"4,keyasint"`          // the block before; block 1: the network id
	Also    Hash   `cbor:"5,keyasint,omitzero"` // head of another branch of this author that it joins
	Skip    Hash   `cbor:"6,keyasint"`          // an ancestor far back: proofs in some tens of headers
	Time    int64  `cbor:"7,keyasint"`          // ms since 1970 UTC: evidence, never a rule
	Clock   Clock  `cbor:"8,keyasint,omitzero"`
	Roster  []Hash `cbor:"9,keyasint"` // roster heads that the author went by
	Root    Hash   `cbor:"10,keyasint"`
	Count   uint16 `cbor:"11,keyasint"`
}

// MaxHeight bounds heights, so that no arithmetic on them overflows.
const MaxHeight = 1 << 48

// SignedHeader is a header with its author's signature: what a block's hash
// covers, and all that a proof about a chain needs.
type SignedHeader struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Sig    []byte
}

// blockWire is a block's canonical form.
type blockWire struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Sig    []byte
	Txs    [][]byte
}

// UnverifiedBlock is a block whose form has been checked and nothing else.
type UnverifiedBlock struct {
	header    Header
	signed    SignedHeader
	txs       []Tx
	raw       []byte
	hash      Hash
	sigDigest Hash
}

// Block is a block that is authentic: it, or a later block of its chain,
// carries a valid signature of its author. Verify and VerifyRange are the only
// makers.
type Block struct{ UnverifiedBlock }

// Faults for which a block is refused for ever.
var (
	ErrLinks  = errors.New("block does not fit the chain")
	ErrAuthor = errors.New("block's author may not seal")
)

// Hash names the block: it covers header and signature, not the transactions,
// which the header's root covers.
func (b UnverifiedBlock) Hash() Hash { return b.hash }

// Header returns what the author signed.
func (b UnverifiedBlock) Header() Header { return b.header }

// Signed returns header bytes and signature, as evidence carries them.
func (b UnverifiedBlock) Signed() SignedHeader { return b.signed }

// Txs returns the transactions in their order. The slice is not to be changed.
func (b UnverifiedBlock) Txs() []Tx { return b.txs }

// Raw returns the bytes as they were parsed or made.
func (b UnverifiedBlock) Raw() []byte { return b.raw }

// Ref names the block by author, height and hash.
func (b UnverifiedBlock) Ref() Ref {
	return Ref{Author: b.header.Author, Height: b.header.Height, Hash: b.hash}
}

// Ref names a block by its place in a chain.
type Ref struct {
	_      struct{} `cbor:",toarray"`
	Author KeyID
	Height uint64
	Hash   Hash
}

// String shows author, height and hash for people.
func (r Ref) String() string {
	return fmt.Sprintf("%s/%d (%s)", r.Author.Short(), r.Height, r.Hash.Short())
}

// ParseBlock reads a block and checks its form: limits, canonical bytes, every
// field of the header and of each transaction, root and count.
func ParseBlock(net NetworkID, raw []byte) (UnverifiedBlock, error) {
	var w blockWire
	if err := decode("block", raw, MaxBlock, &w); err != nil {
		return UnverifiedBlock{}, err
	}
	if len(w.Txs) > MaxBlockTxs {
		return UnverifiedBlock{}, refuse("block", "txs", len(w.Txs), "has more than %d transactions", MaxBlockTxs)
	}
	b := UnverifiedBlock{signed: SignedHeader{Header: w.Header, Sig: w.Sig}, raw: append([]byte(nil), raw...)}
	var err error
	if b.header, err = parseHeader(w.Header, w.Sig); err != nil {
		return UnverifiedBlock{}, err
	}
	ids := make([]TxID, len(w.Txs))
	for i, txRaw := range w.Txs {
		t, err := ParseTx(net, txRaw)
		if err != nil {
			return UnverifiedBlock{}, fmt.Errorf("block.txs[%d]: %w", i, err)
		}
		b.txs, ids[i] = append(b.txs, t), t.id
	}
	if int(b.header.Count) != len(ids) {
		return UnverifiedBlock{}, refuse("block", "count", b.header.Count, "the block has %d transactions", len(ids))
	}
	if root := MerkleRoot(ids); root != b.header.Root {
		return UnverifiedBlock{}, refuse("block", "root", b.header.Root.Short(), "the root of its transactions is %s", root.Short())
	}
	b.hash, b.sigDigest = b.signed.hash(net), headerDigest(net, w.Header)
	return b, nil
}

func (s SignedHeader) hash(net NetworkID) Hash { return digest(labelBlock, net, encode(s)) }

func headerDigest(net NetworkID, header []byte) Hash { return digest(labelBlockSig, net, header) }

func parseHeader(raw, sig []byte) (Header, error) {
	var h Header
	if err := decode("block.header", raw, MaxBlock, &h); err != nil {
		return Header{}, err
	}
	if len(sig) == 0 || len(sig) > 512 {
		return Header{}, refuse("block", "sig", len(sig), "a signature has 1 to 512 bytes")
	}
	return h, h.check()
}

func (h Header) check() error {
	f := fields{object: "block.header"}
	f.need(h.Version == Version, "version", h.Version, "this program knows protocol %d only", Version)
	f.need(!h.Author.IsZero(), "author", nil, "is missing")
	f.need(h.Height > 0 && h.Height <= MaxHeight, "height", h.Height, "lies outside 1…%d: block 0 is genesis", uint64(MaxHeight))
	f.need(!h.Prev.IsZero(), "prev", nil, "is missing")
	f.need(h.Also != h.Prev, "also", h.Also.Short(), "is prev: it joins another branch")
	f.need(!h.Skip.IsZero(), "skip", nil, "is missing")
	f.need(h.Time >= 0, "time", h.Time, "lies before 1970")
	f.need(h.Clock <= ClockSynchronised, "clock", h.Clock, "is 0 (not synchronised) or 1")
	f.need(len(h.Roster) > 0, "roster", 0, "is empty: a block cites the roster that enrols its author")
	f.need(h.Count <= MaxBlockTxs, "count", h.Count, "has more than %d transactions", MaxBlockTxs)
	if f.err != nil {
		return f.err
	}
	return checkSorted("block.header", "roster", h.Roster, MaxRosterHeads)
}

// Mark is what the link rules need to know of a block held.
type Mark struct {
	_      struct{} `cbor:",toarray"`
	Ref    Ref
	Skip   Hash // its skip pointer
	Roster []Hash
}

// MarkOf returns the mark of a block.
func MarkOf(b UnverifiedBlock) Mark {
	return Mark{Ref: b.Ref(), Skip: b.header.Skip, Roster: b.header.Roster}
}

// GenesisMark is block 0 of author's chain: genesis, which skips to itself.
func GenesisMark(net NetworkID, author KeyID) Mark {
	return Mark{Ref: Ref{Author: author, Hash: Hash(net)}, Skip: Hash(net)}
}

// SkipFrom returns the skip pointer of the block after prev. With p = prev,
// s = skip(p): skip(s) if h(p) − h(s) = h(s) − h(skip(s)), else p. skipOf returns
// the mark of a block of the chain, genesis included; one it lacks is a *GapError.
func SkipFrom(prev Mark, skipOf func(Hash) (Mark, bool)) (Hash, error) {
	s, ok := skipOf(prev.Skip)
	if !ok {
		return Hash{}, &GapError{Missing: []Hash{prev.Skip}}
	}
	ss, ok := skipOf(s.Skip)
	if !ok {
		return Hash{}, &GapError{Missing: []Hash{s.Skip}}
	}
	if prev.Ref.Height-s.Ref.Height == s.Ref.Height-ss.Ref.Height {
		return ss.Ref.Hash, nil
	}
	return prev.Ref.Hash, nil
}

// Surroundings is what a replica holds around a block whose links are checked.
type Surroundings struct {
	Prev     Mark
	Also     Mark                    // zero when the header joins nothing
	Mark     func(Hash) (Mark, bool) // any block of the author's chain
	Ancestor func(old, young Ref) bool
	Contains func(outer, inner []Hash) (bool, error) // roster closures
	Roster   *Roster                                 // as the header cites it
}

// CheckLinks holds a block to the rules of PROTOCOL.md §7 about prev, also,
// skip, roster and the author's role. Whether the block is authentic is not
// judged here. It returns ErrLinks or ErrAuthor wrapped, or a *GapError.
func (b UnverifiedBlock) CheckLinks(s Surroundings) error {
	h := b.header
	broken := func(rule string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrLinks, b.Ref(), fmt.Sprintf(rule, args...))
	}
	if s.Prev.Ref.Author != h.Author || s.Prev.Ref.Hash != h.Prev {
		return broken("prev %s is a block of %s", h.Prev.Short(), s.Prev.Ref.Author.Short())
	}
	if h.Height != s.Prev.Ref.Height+1 {
		return broken("height follows %d", s.Prev.Ref.Height)
	}
	skip, err := SkipFrom(s.Prev, s.Mark)
	if err != nil {
		return err
	}
	if skip != h.Skip {
		return broken("skip is %s and must be %s", h.Skip.Short(), skip.Short())
	}
	if !h.Also.IsZero() {
		if err := b.checkAlso(s, broken); err != nil {
			return err
		}
	}
	for _, old := range []Mark{s.Prev, s.Also} {
		if ok, err := s.Contains(h.Roster, old.Roster); err != nil {
			return err
		} else if !ok {
			return broken("the roster it cites leaves out statements that %s cites", old.Ref)
		}
	}
	if !s.Roster.Has(h.Author, RoleGateway) {
		return fmt.Errorf("%w: %s: the roster it cites gives %s no gateway role", ErrAuthor, b.Ref(), h.Author.Short())
	}
	return nil
}

func (b UnverifiedBlock) checkAlso(s Surroundings, broken func(string, ...any) error) error {
	p, a := s.Prev.Ref, s.Also.Ref
	switch {
	case a.Author != b.header.Author || a.Hash != b.header.Also || a.Height == 0:
		return broken("also %s is no block of this author", b.header.Also.Short())
	case a.Height > p.Height || (a.Height == p.Height && compare(a.Hash, p.Hash) < 0):
		return broken("also %s is higher than prev, or as high with a lower hash", a)
	case s.Ancestor(a, p):
		return broken("also %s is an ancestor of prev", a)
	}
	return nil
}

// Verify checks the block's own signature under the author's key. On
// ErrSignature the block is a gap, not a fault: a signed descendant may still
// vouch for it.
func (b UnverifiedBlock) Verify(r *Roster) (Block, error) {
	id, ok := r.Identity(b.header.Author)
	if !ok {
		return Block{}, fmt.Errorf("%w: %s is not in the roster it cites", ErrAuthor, b.Ref())
	}
	if err := id.Key.verify(b.sigDigest, b.signed.Sig); err != nil {
		return Block{}, fmt.Errorf("%s: %w", b.Ref(), err)
	}
	return Block{b}, nil
}

// VerifyRange makes a run of blocks of one author authentic by the signature of
// its last one: each must be the prev of the next. Catching up costs hashing,
// not signatures.
func VerifyRange(run []UnverifiedBlock, r *Roster) ([]Block, error) {
	if len(run) == 0 {
		return nil, nil
	}
	for i := 1; i < len(run); i++ {
		if run[i].header.Prev != run[i-1].hash || run[i].header.Author != run[0].header.Author {
			return nil, fmt.Errorf("%w: %s does not follow %s", ErrLinks, run[i].Ref(), run[i-1].Ref())
		}
	}
	if _, err := run[len(run)-1].Verify(r); err != nil {
		return nil, err
	}
	out := make([]Block, len(run))
	for i, b := range run {
		out[i] = Block{b}
	}
	return out, nil
}

// VouchedBy makes b authentic by a block that is, where that one names b as its
// prev or also.
func (b UnverifiedBlock) VouchedBy(later Block) (Block, error) {
	if later.header.Prev != b.hash && later.header.Also != b.hash {
		return Block{}, fmt.Errorf("%w: %s does not name %s", ErrLinks, later.Ref(), b.Ref())
	}
	return Block{b}, nil
}

// Trusted takes a block that this replica made authentic before and kept under
// its hash. The caller has compared the hash of the bytes read with the one it
// asked for.
func (b UnverifiedBlock) Trusted() Block { return Block{b} }

// Draft is a block about to be sealed.
type Draft struct {
	Prev   Mark
	Also   *Mark
	Skip   Hash
	Time   int64
	Clock  Clock
	Roster []Hash
	Txs    []Tx
}

// Seal signs a draft with the author's key. It refuses what ParseBlock would.
func Seal(net NetworkID, author crypto.Signer, d Draft) (Block, error) {
	pub, err := PublicKeyOf(author)
	if err != nil {
		return Block{}, err
	}
	if len(d.Txs) > MaxBlockTxs {
		return Block{}, refuse("block", "txs", len(d.Txs), "has more than %d transactions", MaxBlockTxs)
	}
	ids := make([]TxID, len(d.Txs))
	raws := make([][]byte, len(d.Txs))
	for i, t := range d.Txs {
		ids[i], raws[i] = t.id, t.raw
	}
	h := Header{
		Version: Version, Author: pub.ID(), Height: d.Prev.Ref.Height + 1, Prev: d.Prev.Ref.Hash, Skip: d.Skip,
		Time: d.Time, Clock: d.Clock, Roster: d.Roster, Root: MerkleRoot(ids), Count: uint16(len(ids)),
	}
	if d.Also != nil {
		h.Also = d.Also.Ref.Hash
	}
	if err := h.check(); err != nil {
		return Block{}, err
	}
	header := encode(h)
	sig, err := sign(author, headerDigest(net, header))
	if err != nil {
		return Block{}, fmt.Errorf("sealing block %d: %w", h.Height, err)
	}
	raw := encode(blockWire{Header: header, Sig: sig, Txs: raws})
	if len(raw) > MaxBlock {
		return Block{}, refuse("block", "", fmt.Sprintf("%d bytes", len(raw)), "is larger than %d bytes", MaxBlock)
	}
	signed := SignedHeader{Header: header, Sig: sig}
	return Block{UnverifiedBlock{
		header: h, signed: signed, txs: slices.Clone(d.Txs), raw: raw, hash: signed.hash(net), sigDigest: headerDigest(net, header),
	}}, nil
}
