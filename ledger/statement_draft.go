package ledger

import (
	"bytes"
	"crypto"
	"slices"
)

// StatementDraft is a statement on its way from admin to admin: what it says is fixed,
// and signatures are added until enough admins have signed. It is worth nothing
// until [StatementDraft.Statement] makes a statement of it and a register takes that.
type StatementDraft struct{ s Statement }

// NewStatementDraft begins a draft without signatures: it sorts what s builds on
// and checks the form. Signatures in s are left out.
func NewStatementDraft(s Statement) (StatementDraft, error) {
	s.Version, s.Sigs, s.raw, s.hash = Version, nil, nil, Hash{}
	s.BuildsOn = slices.Clone(s.BuildsOn)
	slices.SortFunc(s.BuildsOn, compare)
	return ParseStatementDraft(encode(s))
}

// ParseStatementDraft reads a draft: a statement in canonical form (PROTOCOL.md §4.1)
// that may also have no signature yet. What the signatures are worth is not
// looked at; see [StatementDraft.Signed].
func ParseStatementDraft(raw []byte) (StatementDraft, error) {
	var s Statement
	if err := decode("statement", raw, MaxStatement, &s); err != nil {
		return StatementDraft{}, err
	}
	checked := s
	if len(s.Sigs) == 0 { // all else is held to the form of a statement
		checked.Sigs = []StatementSig{{Key: KeyID{1}, Sig: []byte{1}}}
	}
	if err := checked.check(); err != nil {
		return StatementDraft{}, err
	}
	return StatementDraft{s}, nil
}

// Raw returns the draft's bytes.
func (d StatementDraft) Raw() []byte { return encode(d.s) }

// Content returns what the draft says, with the signatures it has. It is no
// statement of any register.
func (d StatementDraft) Content() Statement {
	s := d.s
	s.BuildsOn, s.Changes, s.Sigs = slices.Clone(s.BuildsOn), slices.Clone(s.Changes), slices.Clone(s.Sigs)
	return s
}

// Sign returns the draft with the signatures of more signers; who has signed
// before signs anew.
func (d StatementDraft) Sign(net NetworkID, signers ...crypto.Signer) (StatementDraft, error) {
	s, over := d.Content(), d.s.sigDigest(net)
	for _, signer := range signers {
		pub, err := PublicKeyOf(signer)
		if err != nil {
			return StatementDraft{}, err
		}
		sig, err := sign(signer, over)
		if err != nil {
			return StatementDraft{}, err
		}
		s.Sigs = slices.DeleteFunc(s.Sigs, func(g StatementSig) bool { return g.Key == pub.ID() })
		s.Sigs = append(s.Sigs, StatementSig{Key: pub.ID(), Sig: sig})
	}
	slices.SortFunc(s.Sigs, func(a, b StatementSig) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return StatementDraft{s}, nil
}

// Signed reports whether the draft carries a signature of that key that holds
// in the network. The error wraps ErrSignature for one that does not.
func (d StatementDraft) Signed(net NetworkID, key PublicKey) (bool, error) {
	for _, g := range d.s.Sigs {
		if g.Key == key.ID() {
			return true, key.verify(d.s.sigDigest(net), g.Sig)
		}
	}
	return false, nil
}

// Statement makes the draft a statement. A *[FieldError] refuses one that
// nobody has signed; whether those who signed are enough, a register says.
func (d StatementDraft) Statement(net NetworkID) (Statement, error) {
	return ParseStatement(net, d.Raw())
}
