package plant

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// readVectors reads one of the files of PROTOCOL.md §15.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("../../ledger/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type modelVectors struct {
	Genesis      struct{ Raw, Network string }
	Statements   []struct{ Raw, Hash string }
	Transactions []struct{ Raw string }
	Blocks       []struct {
		Raw, Hash string
		IDs       []string
	}
}

// TestModelOnVectors: the model reads the published examples, names them alike,
// and holds all of them, as a replica does.
func TestModelOnVectors(t *testing.T) {
	for _, file := range []string{"vectors.json", "vectors-rsa.json"} {
		t.Run(file, func(t *testing.T) {
			var v modelVectors
			readVectors(t, file, &v)
			raw := unhex(t, v.Genesis.Raw)
			m, err := NewModel(raw)
			if err != nil {
				t.Fatal(err)
			}
			genesis, err := ledger.ParseGenesis(raw)
			if err != nil {
				t.Fatal(err)
			}
			var objects []replica.Object
			for _, s := range v.Statements {
				raw := unhex(t, s.Raw)
				if err := m.Add(raw); err != nil {
					t.Fatal(err)
				}
				if m.statements[string(unhex(t, s.Hash))] == nil {
					t.Errorf("no statement %s", s.Hash)
				}
				parsed, err := ledger.ParseStatement(genesis.Network(), raw)
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, parsed)
			}
			for _, b := range v.Blocks {
				raw := unhex(t, b.Raw)
				if err := m.Add(raw); err != nil {
					t.Fatal(err)
				}
				block := m.blocks[string(unhex(t, b.Hash))]
				if block == nil {
					t.Fatalf("no block %s", b.Hash)
				}
				for i, tx := range block.txs {
					if got := hexOf(tx.id); got != b.IDs[i] {
						t.Errorf("transaction %d of block %s has id %s, want %s", i, b.Hash, got, b.IDs[i])
					}
				}
				parsed, err := ledger.ParseBlock(genesis.Network(), raw)
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, parsed)
			}
			w := newModelWorld(m)
			if len(w.register.held) != len(v.Statements) || len(w.blocks) != len(v.Blocks) {
				t.Errorf("holds %d of %d statements, %d of %d blocks", len(w.register.held), len(v.Statements), len(w.blocks), len(v.Blocks))
			}
			compareWith(t, m, replicaOf(t, genesis, objects))
		})
	}
}

// TestModelRefuses: the model refuses by form what the vectors say is refused.
func TestModelRefuses(t *testing.T) {
	for network, file := range map[string]string{"vectors.json": "vectors-refused.json", "vectors-rsa.json": "vectors-rsa-refused.json"} {
		if _, err := os.Stat("../../ledger/testdata/" + file); err != nil {
			continue
		}
		var v modelVectors
		readVectors(t, network, &v)
		var refused []struct{ Object, Why, At, Raw string }
		readVectors(t, file, &refused)
		m, err := NewModel(unhex(t, v.Genesis.Raw))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range refused {
			if r.At != "form" {
				continue
			}
			raw := unhex(t, r.Raw)
			switch r.Object {
			case "genesis":
				_, err = NewModel(raw)
			case "statement", "block":
				err = m.Add(raw)
			case "transaction":
				_, err = m.parseTx(raw)
			default:
				continue
			}
			if err == nil {
				t.Errorf("%s: %s: took %s", file, r.Object, r.Why)
			}
		}
	}
}

// compareWith fails unless the model and a replica that was given the same say
// the same.
func compareWith(t *testing.T, m *Model, r *replica.Replica) {
	t.Helper()
	held, err := viewsOf(r)
	if err != nil {
		t.Fatal(err)
	}
	views := m.Views()
	// A roster tells a parameter by its name only: see viewsOf.
	maps.DeleteFunc(views.Roster.Parameters, func(name string, _ int64) bool {
		return !strings.HasPrefix(name, "retention-") || name == "retention-days"
	})
	if d := views.Diff(held); d != "" {
		t.Errorf("model and replica differ:\n%s", d)
	}
}

func TestDiffTells(t *testing.T) {
	a := ModelViews{Voids: map[string]string{"x": "role"}, Items: map[string]ModelItem{"i": {Heads: []string{"a"}}}}
	b := ModelViews{Voids: map[string]string{"x": "station"}, Items: map[string]ModelItem{"i": {Heads: []string{"a", "b"}}}}
	if d := a.Diff(a); d != "" {
		t.Errorf("equal views differ: %s", d)
	}
	d := a.Diff(b)
	for _, want := range []string{"void x", "role", "station", "item i heads"} {
		if !strings.Contains(d, want) {
			t.Errorf("%q is not in %q", want, d)
		}
	}
}
