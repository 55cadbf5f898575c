package agent

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"traveler.example/ledger"
)

// TestDraft takes a draft from admin to admin, past another's statement.
func TestDraft(t *testing.T) {
	n, signers := found(t, "anna", "ben", "cora")
	p, err := n.PreparePerson("pat", ledger.RolePlanner, KeyForm{})
	must(t, err)
	d, err := n.Draft(foundedAt, p.Changes)
	must(t, err)
	file := filepath.Join(t.TempDir(), "pat.draft")
	must(t, n.SaveDraft(file, d, false))
	if err := n.SaveDraft(file, d, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("a draft is overwritten: %v", err)
	}
	doc, err := n.DescribeDraft(d)
	must(t, err)
	if doc.Needs != 2 || len(doc.Signed) != 0 || !strings.HasPrefix(doc.Changes[0], "let in pat as planner (key ") {
		t.Errorf("draft: %+v", doc)
	}
	if _, err := n.SubmitDraft(d); err == nil {
		t.Error("a draft that nobody signed is submitted")
	}
	for i, signer := range signers {
		d, err = n.LoadDraft(file)
		must(t, err)
		d, err = d.Sign(n.Genesis.Network(), signer)
		must(t, err)
		must(t, n.SaveDraft(file, d, true))
		if doc, err = n.DescribeDraft(d); err != nil || doc.Needs != 1-i {
			t.Errorf("after %d: %+v, %v", i+1, doc, err)
		}
	}
	other, err := n.AddPerson(foundedAt, "quinn", ledger.RoleQuality, KeyForm{}, signers...)
	must(t, err)
	s, err := n.SubmitDraft(d)
	must(t, err)
	if heads := n.Register.Heads(); len(heads) != 2 {
		t.Fatalf("heads: %v", heads)
	}
	next, err := n.Change(foundedAt, []ledger.Change{{Kind: ledger.ChangeParameter, Name: "p", Value: 1}}, signers...)
	must(t, err)
	if !slices.Contains(next.BuildsOn, s.Hash()) || !slices.Contains(next.BuildsOn, other.Hash()) {
		t.Errorf("the next statement builds on %v", next.BuildsOn)
	}
	for _, doc := range n.Statements() {
		if !doc.Counts || len(doc.Signed) != 2 {
			t.Errorf("statement: %+v", doc)
		}
	}
}

func TestDraftsRefused(t *testing.T) {
	n, _ := found(t, "anna", "ben", "cora")
	d, err := n.Draft(foundedAt, []ledger.Change{{Kind: ledger.ChangeParameter, Name: "p", Value: 1}})
	must(t, err)
	stranger, err := d.Sign(n.Genesis.Network(), privateKey("eve"))
	must(t, err)
	if _, err := n.DescribeDraft(stranger); !errors.Is(err, ErrRefused) {
		t.Errorf("a stranger's signature: %v", err)
	}
	anna, err := n.Key("anna")
	must(t, err)
	elsewhere, err := d.Sign(ledger.NetworkID{1}, anna)
	must(t, err)
	if _, err := n.DescribeDraft(elsewhere); !errors.Is(err, ErrRefused) {
		t.Errorf("a signature for another network: %v", err)
	}
	var gap *ledger.GapError
	ahead, err := ledger.NewStatementDraft(ledger.Statement{BuildsOn: []ledger.Hash{{1}}, Changes: d.Content().Changes})
	must(t, err)
	if _, err := n.DescribeDraft(ahead); !errors.As(err, &gap) {
		t.Errorf("a draft on what is not here: %v", err)
	}
	recovery, err := LoadKey(filepath.Join(n.Dir, RecoveryName), nil)
	must(t, err)
	admins, _ := n.Register.Current().Admins()
	change, err := n.Draft(foundedAt, []ledger.Change{{Kind: ledger.ChangeAdmins, Admins: admins[:1], Threshold: 1}}, recovery)
	must(t, err)
	if doc, err := n.DescribeDraft(change); err != nil || doc.Needs != 0 || doc.Signed[0] != "the recovery key" {
		t.Errorf("by the recovery key: %+v, %v", doc, err)
	}
	if _, err := n.KeysAtHand([]string{"eve"}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a signer who is no admin: %v", err)
	}
}

func FuzzParseDraft(f *testing.F) {
	n := &Network{Genesis: fuzzGenesis(f)}
	d, err := n.draftOf([]ledger.Change{{Kind: ledger.ChangeParameter, Name: "p", Value: 1}})
	must(f, err)
	path := filepath.Join(f.TempDir(), "draft")
	must(f, n.SaveDraft(path, d, false))
	text, err := os.ReadFile(path)
	must(f, err)
	f.Add(text)
	f.Add(bytes.Replace(text, []byte("Network: "), []byte("Network: 0"), 1))
	f.Add([]byte("-----BEGIN TRAVELER ROSTER DRAFT-----\n-----END TRAVELER ROSTER DRAFT-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := n.parseDraft(text)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := ledger.ParseStatementDraft(d.Raw()); err != nil || !bytes.Equal(again.Raw(), d.Raw()) {
			t.Errorf("a draft does not survive: %v", err)
		}
	})
}

func fuzzGenesis(f *testing.F) ledger.Genesis {
	g, err := ledger.NewGenesis(ledger.Genesis{
		Name: "fuzz", Time: foundedAt, Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: "ada", Key: publicKey("ada")}},
	})
	must(f, err)
	return g
}

func (n *Network) draftOf(changes []ledger.Change) (ledger.StatementDraft, error) {
	return ledger.NewStatementDraft(ledger.Statement{Changes: changes, Time: foundedAt})
}
