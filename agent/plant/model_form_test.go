package plant

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"traveler.example/ledger"
)

// TestModelReadsAlike: of the published objects with bytes changed, the model
// and package ledger take the same ones.
func TestModelReadsAlike(t *testing.T) {
	var v modelVectors
	readVectors(t, "vectors.json", &v)
	founding := unhex(t, v.Genesis.Raw)
	genesis, err := ledger.ParseGenesis(founding)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(founding)
	if err != nil {
		t.Fatal(err)
	}
	agree := func(what string, raw []byte, model, product error) {
		t.Helper()
		if (model == nil) != (product == nil) {
			t.Errorf("%s %x:\n\tmodel  %v\n\tledger %v", what, raw, model, product)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	changes := 150
	if testing.Short() {
		changes = 15
	}
	for range changes * 3 {
		raw := altered(rng, founding)
		_, model := NewModel(raw)
		_, product := ledger.ParseGenesis(raw)
		agree("genesis", raw, model, product)
	}
	for _, s := range v.Statements {
		for range changes {
			raw := altered(rng, unhex(t, s.Raw))
			_, model := m.parseStatement(raw)
			_, product := ledger.ParseStatement(genesis.Network(), raw)
			agree("statement", raw, model, product)
		}
	}
	for _, x := range v.Transactions {
		for range changes {
			raw := altered(rng, unhex(t, x.Raw))
			_, model := m.parseTx(raw)
			_, product := ledger.ParseTx(genesis.Network(), raw)
			agree("transaction", raw, model, product)
		}
	}
	for _, b := range v.Blocks {
		for range changes / 3 {
			raw := altered(rng, unhex(t, b.Raw))
			_, model := m.parseBlock(raw)
			_, product := ledger.ParseBlock(genesis.Network(), raw)
			agree("block", raw, model, product)
		}
	}
}

// altered changes a byte or, to get past the form of CBOR, a value.
func altered(rng *rand.Rand, raw []byte) []byte {
	out := slices.Clone(raw)
	if rng.IntN(3) == 0 {
		out[rng.IntN(len(out))] ^= 1 << rng.IntN(8)
		return out
	}
	var v any
	if err := cbor.Unmarshal(raw, &v); err != nil {
		panic(err)
	}
	return reencoded(alter(rng, v))
}

func reencoded(v any) []byte {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	out, err := enc.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// alter changes one value somewhere in v, byte strings of CBOR included.
func alter(rng *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[any]any:
		keys := make([]uint64, 0, len(v))
		for k := range v {
			keys = append(keys, k.(uint64))
		}
		slices.Sort(keys)
		if len(keys) == 0 || rng.IntN(12) == 0 {
			v[uint64(rng.IntN(14))] = uint64(rng.IntN(3))
			return v
		}
		k := keys[rng.IntN(len(keys))]
		if rng.IntN(8) == 0 {
			delete(v, k)
			return v
		}
		v[k] = alter(rng, v[k])
		return v
	case []any:
		if len(v) == 0 || rng.IntN(12) == 0 {
			return append(v, v...)
		}
		i := rng.IntN(len(v))
		v[i] = alter(rng, v[i])
		return v
	case uint64:
		return []any{uint64(0), v + 1, v - 1, uint64(rng.IntN(300)), int64(-1), uint64(1) << 63, "1"}[rng.IntN(7)]
	case string:
		return []any{"", v + " ", v + "é", v + "x", "\x00", []byte(v)}[rng.IntN(6)]
	case []byte:
		if inside, err := unwrapped(v); err == nil && rng.IntN(10) != 0 {
			return reencoded(alter(rng, inside))
		}
		return [][]byte{{}, make([]byte, len(v)), append(slices.Clone(v), 0), []byte("\xff")}[rng.IntN(4)]
	}
	return nil
}

func unwrapped(b []byte) (any, error) {
	var v map[any]any
	err := cbor.Unmarshal(b, &v)
	return v, err
}
