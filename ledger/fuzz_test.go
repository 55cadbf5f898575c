package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The fuzz targets hold every parser of foreign bytes to one property: what it
// takes is kept as it came and is what would be written again; what it refuses
// it names; it never panics. testdata/fuzz holds seeds, written with
// -update-vectors: every object of the vectors and every refused one.

func refusedWell(t *testing.T, err error) {
	t.Helper()
	var f *FieldError
	if !errors.As(err, &f) {
		t.Errorf("refused without naming the field: %v", err)
	}
}

func sameBytes(t *testing.T, raw, kept, again []byte) {
	t.Helper()
	if !bytes.Equal(raw, kept) {
		t.Errorf("took %x and kept %x", raw, kept)
	}
	if !bytes.Equal(raw, again) {
		t.Errorf("took %x and would write %x", raw, again)
	}
}

func FuzzParseGenesis(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := ParseGenesis(raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		again, err := NewGenesis(g)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, raw, g.Raw(), again.Raw())
		NewRegister(g).Current().Admins()
	})
}

func FuzzParseStatement(f *testing.F) {
	p := newTestPlant(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseStatement(p.net, raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		sameBytes(t, raw, s.Raw(), encode(s))
	})
}

func FuzzParseTx(f *testing.F) {
	p := newTestPlant(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := ParseTx(p.net, raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		again, err := NewTx(p.net, tx)
		if err != nil {
			t.Fatal(err)
		}
		sameBytes(t, raw, tx.Raw(), again.Raw())
		if again.ID() != tx.ID() || len(raw) > MaxTx {
			t.Errorf("id %s or size %d", tx.ID(), len(raw))
		}
		_ = tx.VerifySignature(p.net, plantKey("paula"))
		_ = fmt.Sprint(tx.Kind, tx.ItemID())
	})
}

func FuzzParseBlock(f *testing.F) {
	p := newTestPlant(f)
	r := p.reg.Current()
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseBlock(p.net, raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		again := encode(blockWire{Header: encode(b.Header()), Sig: b.Signed().Sig, Txs: rawsOf(b.Txs())})
		sameBytes(t, raw, b.Raw(), again)
		if len(b.Txs()) != int(b.Header().Count) || len(raw) > MaxBlock {
			t.Errorf("%d transactions in %d bytes", len(b.Txs()), len(raw))
		}
		_, _ = b.Verify(r)
		_ = b.Ref().String()
	})
}

func FuzzParseFrontier(f *testing.F) {
	p := newTestPlant(f)
	r := p.reg.Current()
	f.Fuzz(func(t *testing.T, raw []byte) {
		fr, err := ParseFrontier(raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		sameBytes(t, raw, fr.Raw(), encode(fr))
		_ = fr.Verify(p.net, r)
	})
}

func FuzzParseEvidence(f *testing.F) {
	p := newTestPlant(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := ParseEvidence(raw)
		if err != nil {
			refusedWell(t, err)
			return
		}
		sameBytes(t, raw, e.Raw(), encode(e))
		a, b, err := e.Verify(p.net, func(KeyID) (PublicKey, bool) { return plantKey("drill-a"), true })
		if err == nil && (a == b || a.Author != b.Author || a.Height != b.Height) {
			t.Errorf("evidence of nothing: %s and %s", a, b)
		}
	})
}

// TestFuzzSeeds holds the committed seeds to the vectors they come from.
func TestFuzzSeeds(t *testing.T) {
	w := newVectorWorld(t)
	seeds := map[string]map[string][]byte{}
	add := func(target, name string, raw []byte) {
		if seeds[target] == nil {
			seeds[target] = map[string][]byte{}
		}
		seeds[target][name] = raw
	}
	targets := map[string]string{
		"genesis": "FuzzParseGenesis", "statement": "FuzzParseStatement", "transaction": "FuzzParseTx",
		"block": "FuzzParseBlock", "frontier": "FuzzParseFrontier", "evidence": "FuzzParseEvidence",
	}
	counts := map[string]int{}
	for _, d := range doorsOf(t, w) {
		if target, ok := targets[d.object]; ok {
			counts[target]++
			add(target, fmt.Sprintf("good-%02d", counts[target]), d.raw)
		}
	}
	for i, v := range w.refused(t) {
		raw, err := hex.DecodeString(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		add(targets[v.Object], fmt.Sprintf("refused-%02d", i), raw)
	}
	mixed := newRSAWorld(t)
	for target, d := range map[string][]byte{
		"FuzzParseGenesis": mixed.p.genesis.Raw(), "FuzzParseStatement": mixed.statements[0].Raw(), "FuzzParseTx": mixed.txs[0].Raw(),
		"FuzzParseBlock": mixed.main.blocks[0].Raw(), "FuzzParseFrontier": mixed.rsaFrontier(t).Raw(), "FuzzParseEvidence": mixed.rsaEvidence(t).Raw(),
	} {
		add(target, "rsa-good", d)
	}
	for i, v := range mixed.rsaRefused(t) {
		raw, err := hex.DecodeString(v.Raw)
		mustNot(t, err)
		add(targets[v.Object], fmt.Sprintf("rsa-refused-%02d", i), raw)
	}
	for target, files := range seeds {
		dir := filepath.Join("testdata", "fuzz", target)
		for name, raw := range files {
			path, want := filepath.Join(dir, name), fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", raw)
			if *updateVectors {
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, []byte(want), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%s is not the vector's: %v", path, err)
			}
		}
	}
}
