package agent

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"traveler.example/ledger"
)

func TestBindBody(t *testing.T) {
	a, b := ledger.TxID{1}, ledger.TxID{2}
	now := BindingsDocument{Label: "BR-1", Bindings: []BindingLine{{Tx: a, Tags: []string{"T1", "T2"}}, {Tx: b, Tags: []string{"T3"}}}}
	for _, tt := range []struct {
		name string
		q    BindQuery
		want ledger.Bind
		err  error
	}{
		{"one more", BindQuery{Tags: []string{"T4"}}, ledger.Bind{Tags: []string{"T4"}}, nil},
		{"one less", BindQuery{Free: []string{"T3"}}, ledger.Bind{Supersedes: []ledger.TxID{b}}, nil},
		{"one of two less", BindQuery{Free: []string{"T1"}}, ledger.Bind{Tags: []string{"T2"}, Supersedes: []ledger.TxID{a}}, nil},
		{"another for one", BindQuery{Free: []string{"T1"}, Tags: []string{"T4", "T4"}}, ledger.Bind{Tags: []string{"T2", "T4"}, Supersedes: []ledger.TxID{a}}, nil},
		{"all replaced", BindQuery{Replace: true, Tags: []string{"T1"}}, ledger.Bind{Tags: []string{"T1"}, Supersedes: []ledger.TxID{a, b}}, nil},
		{"has it", BindQuery{Tags: []string{"T3"}}, ledger.Bind{}, ErrConflict},
		{"has it not", BindQuery{Free: []string{"T9"}}, ledger.Bind{}, ErrNotFound},
		{"no tag", BindQuery{Tags: []string{"T 9"}}, ledger.Bind{}, ErrRefused},
		{"nothing", BindQuery{}, ledger.Bind{}, ErrConflict},
	} {
		got, err := BindBody(now, tt.q)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// TestAmendAndBind: a gateway corrects what it said itself, and binds tags to what
// it holds.
func TestAmendAndBind(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		boards := together(p, "intake", "drill-1")
		intake, bench := boards[0], boards[1]
		intake.order(drilling("WO-1"))
		intake.shows("T1", "TAKEN IN")
		time.Sleep(time.Second)
		ctx, d := context.Background(), bench.Desk()
		bench.shows("T1", "ACCEPTED")
		time.Sleep(time.Second)
		bound, err := d.Bindings(ctx, "T1")
		must(t, err)
		if len(bound.Bindings) != 1 || bound.Bindings[0].Tags[0] != "T1" {
			t.Fatalf("bindings: %+v", bound)
		}
		if _, err := d.Bind(ctx, "T1", BindQuery{Tags: []string{"T2"}, Replace: true}); err != nil {
			t.Fatal(err)
		}
		it := itemOf(t, bench.replica, "T2")
		if len(it.Tags) != 1 || it.Tags[0] != "T2" {
			t.Errorf("tags: %v", it.Tags)
		}
		if _, err := d.Amend(ctx, "T2", ledger.Amend{Note: "seen by hand", Reason: "light was off"}); err != nil {
			t.Errorf("amending the own acceptance: %v", err)
		}
		if _, err := d.Amend(ctx, "T2", ledger.Amend{Reason: "nothing"}); !errors.Is(err, ErrRefused) {
			t.Errorf("amending nothing: %v", err)
		}
		if _, err := d.Amend(ctx, "T9", ledger.Amend{Note: "x", Reason: "y"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("amending what is not here: %v", err)
		}
		if _, err := intake.Desk().Amend(ctx, it.ID.String(), ledger.Amend{Note: "x", Reason: "y"}); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotPermitted) {
			t.Errorf("amending what another said: %v", err)
		}
		if _, err := intake.Desk().Bind(ctx, it.ID.String(), BindQuery{Tags: []string{"T3"}}); !errors.Is(err, ErrRefused) {
			t.Errorf("binding what another holds: %v", err)
		}
		end, err := d.Chain(ctx, "drill-1", nil)
		must(t, err)
		if end.Held != 3 || end.Beyond != 0 || len(end.Heads) != 1 || len(end.Items) != 1 {
			t.Errorf("chain: %+v", end)
		}
		first, err := d.Block(ctx, "drill-1/1")
		must(t, err)
		if end, err = d.Chain(ctx, "drill-1", []string{first.Hash.Short()}); err != nil || end.Beyond != 2 {
			t.Errorf("chain up to its first block: %+v, %v", end, err)
		}
		if _, err = d.Chain(ctx, "drill-1", []string{"00000000"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("chain up to what is not held: %v", err)
		}
	})
}
