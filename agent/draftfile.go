package agent

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"traveler.example/ledger"
)

// A draft file is PEM (RFC 7468) around the canonical bytes of a statement draft,
// with the network in a header: it can be mailed and pasted.
const (
	pemDraft     = "TRAVELER ROSTER DRAFT"
	draftNetwork = "Network"
	maxDraftFile = 2 * ledger.MaxStatement
)

// Draft makes a draft that says these changes and builds on all statements held,
// signed with the keys at hand, which may be none. It is judged as far as it can
// be: what the roster could never have wraps ledger.ErrRefused.
func (n *Network) Draft(at int64, changes []ledger.Change, signers ...crypto.Signer) (ledger.StatementDraft, error) {
	heads, err := n.Register.Cite(nil)
	if err != nil {
		return ledger.StatementDraft{}, err
	}
	d, err := ledger.NewStatementDraft(ledger.Statement{BuildsOn: heads, Changes: changes, Time: at})
	if err != nil {
		return ledger.StatementDraft{}, err
	}
	return d.Sign(n.Genesis.Network(), signers...)
}

// SaveDraft writes a draft to a file, in the place of the one that is there only
// if replace says so.
func (n *Network) SaveDraft(path string, d ledger.StatementDraft, replace bool) error {
	text := pem.EncodeToMemory(&pem.Block{
		Type: pemDraft, Headers: map[string]string{draftNetwork: n.Genesis.Network().String()}, Bytes: d.Raw(),
	})
	if !replace {
		return writeNew(path, text, 0o644)
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := writeNew(next, text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(next))
	}
	return nil
}

// LoadDraft reads a draft of this network.
func (n *Network) LoadDraft(path string) (ledger.StatementDraft, error) {
	text, err := readBounded(path, maxDraftFile)
	if err != nil {
		return ledger.StatementDraft{}, err
	}
	d, err := n.parseDraft(text)
	if err != nil {
		return ledger.StatementDraft{}, fmt.Errorf("reading draft %s: %w", path, err)
	}
	return d, nil
}

func (n *Network) parseDraft(text []byte) (ledger.StatementDraft, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemDraft {
		return ledger.StatementDraft{}, fmt.Errorf("%w: no PEM block %q in it; --draft FILE of a command that changes the roster makes one", ErrRefused, pemDraft)
	}
	if net := n.Genesis.Network().String(); block.Headers[draftNetwork] != net {
		return ledger.StatementDraft{}, fmt.Errorf("%w: it is of network %q, and %s is network %s; name the right directory with --dir",
			ErrRefused, block.Headers[draftNetwork], n.Dir, net)
	}
	d, err := ledger.ParseStatementDraft(block.Bytes)
	if err != nil {
		return ledger.StatementDraft{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return d, nil
}

// DescribeDraft tells what a draft changes, who has signed it and how many more
// must. A *ledger.GapError says that this directory lacks what it builds on, and
// ErrRefused that a signature in it does not hold.
func (n *Network) DescribeDraft(d ledger.StatementDraft) (StatementDocument, error) {
	s := d.Content()
	r, err := n.Register.At(s.BuildsOn)
	if err != nil {
		return StatementDocument{}, err
	}
	doc := wordsAt(n.Register, s.BuildsOn).statement(s)
	admins, threshold := r.Admins()
	doc.Needs = max(0, int(threshold)-len(s.Sigs))
	admins = append(admins, ledger.Admin{Name: "the recovery key", Key: n.Genesis.Recovery})
	for _, g := range s.Sigs {
		i := slices.IndexFunc(admins, func(a ledger.Admin) bool { return a.Key.ID() == g.Key })
		if i < 0 {
			return doc, fmt.Errorf("%w: %s has signed the draft and is no admin where it builds", ErrRefused, g.Key.Short())
		}
		if _, err := d.Signed(n.Genesis.Network(), admins[i].Key); err != nil {
			return doc, fmt.Errorf("%w: the signature of %s under the draft: %w", ErrRefused, admins[i].Name, err)
		}
		if admins[i].Key.Equal(n.Genesis.Recovery) {
			doc.Needs = 0
		}
	}
	return doc, nil
}

// SubmitDraft makes a draft that enough have signed a statement of the network's
// roster and of every gateway's directory. The errors wrap ledger.ErrRefused, or
// are a *ledger.GapError.
func (n *Network) SubmitDraft(d ledger.StatementDraft) (ledger.Statement, error) {
	s, err := d.Statement(n.Genesis.Network())
	if err != nil {
		return ledger.Statement{}, err
	}
	if err := n.Register.Add(s); err != nil {
		return ledger.Statement{}, err
	}
	return s, n.spread()
}

// StatementFile is where the network's directory has a statement.
func (n *Network) StatementFile(h ledger.Hash) string {
	return filepath.Join(n.Dir, RosterName, h.String()+".cbor")
}
