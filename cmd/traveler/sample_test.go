package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// sample is a gateway that says the same at all times, for pages that show every
// shape of an answer. Behind "sample-WORD" it answers with that trouble; with
// SAMPLE_NETWORK, it is a gateway of the network in that directory.
type sample struct {
	trouble error
	hang    bool
	broken  bool // its lights
	network *agent.Network
}

var troubles = map[string]error{
	"conflict": agent.ErrConflict, "refused": agent.ErrRefused, "denied": agent.ErrNotPermitted,
	"stopped": agent.ErrStopped, "ambiguous": agent.ErrAmbiguous, "gone": agent.ErrUnreachable,
}

func newSample(socket string) (agent.Desk, error) {
	d := &sample{}
	if word, ok := strings.CutPrefix(socket, "sample-"); ok {
		d.hang, d.broken = word == "silent", word == "broken"
		if err, ok := troubles[word]; ok {
			d.trouble = fmt.Errorf("the gateway says: %w", err)
		}
	}
	if dir := os.Getenv("SAMPLE_NETWORK"); dir != "" {
		n, err := agent.OpenNetwork(dir)
		if err != nil {
			return nil, err
		}
		d.network = n
	}
	return d, nil
}

// answer is what every method ends with.
func answer[T any](ctx context.Context, d *sample, v T, err error) (T, error) {
	var none T
	if d.hang {
		<-ctx.Done()
		return none, ctx.Err()
	}
	if d.trouble != nil {
		return none, d.trouble
	}
	return v, err
}

func fill(b byte) (h ledger.Hash) {
	for i := range h {
		h[i] = b
	}
	return h
}

func fillKey(b byte) (k ledger.KeyID) {
	h := fill(b)
	copy(k[:], h[:])
	return k
}

var (
	noon    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli()
	network = fill(0x11).String()
	drill   = ledger.Operation{
		ID: "drill", Task: "drill-4-holes", Place: "DRILLING", MaxReturns: 1,
		Limits: []ledger.Limit{{Name: "bore", Min: 1198, Max: 1203, Exponent: -2, Unit: "mm", OnFail: ledger.Return}},
	}
	assemble = ledger.Operation{
		ID: "assemble", Task: "screw-together", Place: "ASSEMBLY", Needs: []string{"drill"}, MaxReturns: 1,
		Inputs: []ledger.Need{{Product: "bolt", Count: 4}},
	}
	order = agent.OrderDocument{
		ID: "WO-1", Tx: fill(0x21), Product: "bracket", Quantity: 20, Planner: "pat", Items: 3, File: "id = \"WO-1\"\n",
		Order: ledger.Order{ID: "WO-1", Product: "bracket", Design: "drawing 117, revision C", Quantity: 20, Routing: []ledger.Operation{drill, assemble}},
	}
	housing = agent.ItemLine{
		ID: fill(0x31), Label: "BR-0007", Product: "bracket", Order: "WO-1", State: "expected", Where: []string{"DRILLING"}, Tags: []string{"04A1B2C3D4E5F6"},
	}
	torn = agent.ItemLine{ID: fill(0x32), Label: "BR-0008", Product: "bracket", Order: "WO-1", State: "in conflict"}
)

func (d *sample) Status(ctx context.Context) (agent.Status, error) {
	s := agent.Status{
		Gateway: "G-DRILL-1", Key: fillKey(0xd1), Network: "plant-7", NetworkID: network, Version: "1.0.0",
		Station: "DRILL-1", Mode: "in-out", Running: true, Since: noon, Open: true, Broker: "mqtt://broker:1883", Clock: "synchronised",
		Readers: []agent.DeviceState{{Name: "bench", Port: "/dev/ttyAMA0", Model: "PN532 v1.6", Up: true}},
		Scale:   &agent.DeviceState{Name: "scale", Port: "/dev/ttyS1"},
		Buttons: []agent.DeviceState{{Name: "confirm", Port: "GPIO5", Up: true}, {Name: "call", Port: "GPIO6"}},
		Help:    &agent.HelpState{Who: []string{"olga"}, Button: "call", Since: noon},
		Shift:   []string{"olga"}, Light: "ACCEPTED BR-0007: drill, then scan again",
		Height: 7, Head: fill(0x41), Blocks: 12, Transactions: 14, Items: 3, Confirmed: 11, Witnesses: 3, Lag: 1,
		Evidence: 1, Conflicts: 1, Waiting: 2,
	}
	if d.network != nil {
		s.Network, s.NetworkID = d.network.Genesis.Name, d.network.Genesis.Network().String()
	}
	return answer(ctx, d, s, nil)
}

func (d *sample) TestLights(ctx context.Context) ([]agent.LampTest, error) {
	tests := []agent.LampTest{{Light: "stack", Parts: []string{"red lamp", "amber lamp", "green lamp", "buzzer"}}, {Light: "screen"}}
	if d.broken {
		tests[0].Problem = "green lamp on pin GPIO22: no such device"
	}
	return answer(ctx, d, tests, nil)
}

func (d *sample) Peers(ctx context.Context) ([]agent.Peer, error) {
	return answer(ctx, d, []agent.Peer{
		{Name: "G-DRILL-1", Key: fillKey(0xd1), Roles: "gateway,witness", Stations: []string{"DRILL-1"}, Self: true, Online: true, Height: 7, Claimed: 7, Confirmed: 6},
		{Name: "G-INTAKE", Key: fillKey(0xd2), Roles: "gateway,witness", Stations: []string{"INTAKE-1"}, Online: true, Heard: noon, Height: 4, Claimed: 5, Confirmed: 4},
		{Name: "G-OLD", Key: fillKey(0xd3), Roles: "gateway", Heard: noon - 1000, Height: 1, Claimed: 1, Revoked: true, Evidence: true},
	}, nil)
}

func (d *sample) Items(ctx context.Context, q agent.ItemQuery) ([]agent.ItemLine, error) {
	all := []agent.ItemLine{housing, torn}
	if q.Phase == "scrapped" {
		all = nil
	}
	return answer(ctx, d, all[:min(len(all), q.Limit)], nil)
}

func (d *sample) Item(ctx context.Context, id string) (agent.ItemDocument, error) {
	switch id {
	case housing.Label, housing.Tags[0], housing.ID.String(), housing.ID.Short():
		return answer(ctx, d, agent.ItemDocument{
			ItemLine: housing, Lot: "L-5", Parts: []string{"BO-1", "BO-2"},
			Heads: []agent.HeadLine{{Tx: fill(0x51), Kind: "intake", Author: "G-INTAKE", State: "expected"}},
			History: []agent.EntryLine{
				{Tx: fill(0x51), Kind: "intake", What: "taken in as BR-0007 (bracket)", Author: "G-INTAKE", Station: "INTAKE-1", Time: noon, Clock: "synchronised", Block: "G-INTAKE/1", Status: "Confirmed 2 of 3", Confirmed: true},
				{Tx: fill(0x52), Kind: "report", What: "drill done", Author: "G-DRILL-1", Station: "DRILL-1", Operators: []string{"olga"}, Time: noon + 60_000, Clock: "not synchronised", Block: "G-DRILL-1/1", Status: "Void", Reason: "position"},
			},
		}, nil)
	case torn.Label:
		return answer(ctx, d, agent.ItemDocument{
			ItemLine: torn, RestsRevoked: true,
			Heads: []agent.HeadLine{
				{Tx: fill(0x53), Kind: "report", Author: "G-DRILL-1", State: "expected"},
				{Tx: fill(0x54), Kind: "verdict", Author: "G-DRILL-2", State: "in work"},
			},
		}, nil)
	}
	return answer(ctx, d, agent.ItemDocument{}, fmt.Errorf("item %q: %w", id, agent.ErrNotFound))
}

func (d *sample) Orders(ctx context.Context) ([]agent.OrderDocument, error) {
	cancelled := agent.OrderDocument{ID: "WO-0", Tx: fill(0x20), Product: "bracket", Planner: "pat", Cancelled: true}
	replaced := agent.OrderDocument{ID: "WO-X", Tx: fill(0x22), Product: "bolt", Planner: "pat", ReplacedBy: "WO-Y"}
	return answer(ctx, d, []agent.OrderDocument{cancelled, order, replaced}, nil)
}

func (d *sample) Order(ctx context.Context, id string) (agent.OrderDocument, error) {
	switch id {
	case "WO-1":
		return answer(ctx, d, order, nil)
	case "WO-0":
		return answer(ctx, d, agent.OrderDocument{ID: "WO-0", Product: "bracket", Cancelled: true}, nil)
	}
	return answer(ctx, d, agent.OrderDocument{}, fmt.Errorf("order %q: %w", id, agent.ErrNotFound))
}

func (d *sample) Blocks(ctx context.Context, q agent.BlockQuery) ([]agent.BlockLine, error) {
	all := []agent.BlockLine{
		{Hash: fill(0x41), Author: "G-DRILL-1", Height: 1, Time: noon, Clock: "synchronised", Txs: 2, Counted: true, Confirmed: true, Covered: 2, Witnesses: 3},
		{Hash: fill(0x42), Author: "G-DRILL-1", Height: 2, Time: noon + 1000, Clock: "not synchronised", Txs: 1, Joins: true, Covered: 1, Witnesses: 3},
	}
	if q.Author == "G-NONE" {
		all = nil
	}
	return answer(ctx, d, all[:min(len(all), q.Limit)], nil)
}

func (d *sample) Block(ctx context.Context, id string) (agent.BlockDocument, error) {
	if id != "G-DRILL-1/2" {
		return answer(ctx, d, agent.BlockDocument{}, fmt.Errorf("block %q: %w", id, agent.ErrNotFound))
	}
	blocks, _ := (&sample{}).Blocks(ctx, agent.BlockQuery{Limit: 2})
	tx, _ := (&sample{}).Transaction(ctx, fill(0x52).Short())
	also := fill(0x44)
	return answer(ctx, d, agent.BlockDocument{
		BlockLine: blocks[1], Prev: fill(0x41), Also: &also, Skip: fill(0x41), Root: fill(0x45),
		Roster: []ledger.Hash{fill(0x61)}, Bytes: 612, Body: []agent.TxDocument{tx},
	}, nil)
}

func (d *sample) Transaction(ctx context.Context, id string) (agent.TxDocument, error) {
	if id != fill(0x52).Short() {
		return answer(ctx, d, agent.TxDocument{}, fmt.Errorf("transaction %q: %w", id, agent.ErrNotFound))
	}
	return answer(ctx, d, agent.TxDocument{
		ID: fill(0x52), Kind: "misroute", Sender: "G-DRILL-1", Time: noon + 1000, Clock: "not synchronised", Item: &housing.ID,
		About: []ledger.TxID{fill(0x51)}, Signed: true, Body: ledger.Misroute{Station: "DRILL-1", Tag: "04A1B2C3D4E5F6"},
		Places: []agent.PlaceLine{{Author: "G-DRILL-1", Height: 2, Block: fill(0x42), Status: "Void", Reason: "position"}},
	}, nil)
}

func (d *sample) Roster(ctx context.Context) (agent.RosterDocument, error) {
	if d.network != nil {
		return answer(ctx, d, d.network.Document(), nil)
	}
	return answer(ctx, d, agent.RosterDocument{
		Network: "plant-7", NetworkID: network, Heads: []ledger.Hash{fill(0x61)}, Statements: 4, Admins: []string{"anna", "ben", "cora"}, Threshold: 2,
		Identities: []agent.IdentityLine{
			{Name: "G-DRILL-1", Key: fillKey(0xd1), Roles: "gateway,witness"},
			{Name: "G-INTAKE", Key: fillKey(0xd2), Roles: "gateway"},
			{Name: "G-OLD", Key: fillKey(0xd3), Roles: "gateway", Revoked: true},
			{Name: "pat", Key: fillKey(0xd4), Roles: "planner,quality"},
		},
		Stations: []agent.StationLine{
			{Station: "DRILL-1", WorkCentre: "DRILLING", Gateway: "G-DRILL-1"}, {Station: "INTAKE-1", Gateway: "G-INTAKE", Intake: true},
		},
		Doubled: []string{"station DRILL-1"},
	}, nil)
}

func (d *sample) Statements(ctx context.Context) ([]agent.StatementDocument, error) {
	return answer(ctx, d, []agent.StatementDocument{
		{Hash: fill(0x61), Time: noon, Changes: []string{"let in G-DRILL-1 as gateway (key d1d1d1d1)"}, Signed: []string{"anna", "ben"}, Counts: true},
		{Hash: fill(0x62), Time: noon, Changes: []string{"set p to 1"}, Signed: []string{"cora"}, Why: "it was signed by admins since replaced"},
	}, nil)
}

func (d *sample) Chain(ctx context.Context, gateway string, keep []string) (agent.ChainEnd, error) {
	end := agent.ChainEnd{Gateway: "G-DRILL-1", Held: 7, Heads: []ledger.Hash{fill(0x41)}, Items: []agent.ItemLine{}}
	if len(keep) > 0 {
		end.Heads, end.Beyond, end.Items = []ledger.Hash{fill(0x42)}, 5, []agent.ItemLine{housing}
	}
	if err := end.Key.UnmarshalText([]byte(gateway)); err != nil {
		return end, fmt.Errorf("gateway %q: %w", gateway, agent.ErrNotFound)
	}
	return answer(ctx, d, end, nil)
}

func (d *sample) Bindings(ctx context.Context, item string) (agent.BindingsDocument, error) {
	if item != housing.Label {
		return answer(ctx, d, agent.BindingsDocument{}, fmt.Errorf("item %q: %w", item, agent.ErrNotFound))
	}
	return answer(ctx, d, agent.BindingsDocument{
		Item: housing.ID, Label: housing.Label, Bindings: []agent.BindingLine{{Tx: fill(0x51), Tags: []string{"04A1B2C3D4E5F6", "E2801161"}}},
	}, nil)
}

func (d *sample) Amend(ctx context.Context, item string, body ledger.Amend) (agent.Receipt, error) {
	return d.sealed(ctx, item, body)
}

func (d *sample) Bind(ctx context.Context, item string, q agent.BindQuery) (agent.Receipt, error) {
	return d.sealed(ctx, item, q)
}

// sealed writes what it was asked to seal to SAMPLE_SEALED.
func (d *sample) sealed(ctx context.Context, item string, what any) (agent.Receipt, error) {
	if file := os.Getenv("SAMPLE_SEALED"); file != "" {
		if err := os.WriteFile(file, fmt.Appendf(nil, "%+v\n", what), 0o644); err != nil {
			return agent.Receipt{}, err
		}
	}
	return d.Withdraw(ctx, item, "")
}

func (d *sample) Evidence(ctx context.Context) ([]agent.EvidenceDocument, error) {
	return answer(ctx, d, []agent.EvidenceDocument{{Author: "G-OLD", Key: fillKey(0xd3), Height: 1, A: fill(0x71), B: fill(0x72)}}, nil)
}

func (d *sample) Stats(ctx context.Context) (agent.StatsDocument, error) {
	return answer(ctx, d, agent.StatsDocument{
		Blocks: 12, Transactions: 14, Void: 1, Waiting: 2, Pool: 3, Items: map[string]int64{"expected": 2, "in conflict": 1}, Statements: 4,
		Bytes: 3 << 20, FreeBytes: 7 << 30, DaysUntilFull: 412, Views: fill(0x81).String(),
		Chains: []agent.ChainLine{
			{Author: "G-DRILL-1", Key: fillKey(0xd1), Height: 7, Branches: 1, Confirmed: 6, Blocks: 7},
			{Author: "G-OLD", Key: fillKey(0xd3), Height: 1, Branches: 2, Blocks: 2},
		},
	}, nil)
}

// Submit believes nothing: it reads the transaction and checks its signature.
func (d *sample) Submit(ctx context.Context, raw []byte) (agent.Receipt, error) {
	t, err := ledger.ParseTx(d.network.Genesis.Network(), raw)
	if err != nil {
		return agent.Receipt{}, err
	}
	who, _ := d.network.Register.Current().Identity(t.Sender)
	if err := t.VerifySignature(d.network.Genesis.Network(), who.Key); err != nil {
		return agent.Receipt{}, err
	}
	if file := os.Getenv("SAMPLE_SEALED"); file != "" {
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s by %s at %d, clock %d\nitem %s after %v\n%+v\n",
			t.Kind, who.Name, t.Time, t.Clock, t.Item.Short(), t.After, t.Body), 0o644); err != nil {
			return agent.Receipt{}, err
		}
	}
	return answer(ctx, d, agent.Receipt{Tx: fill(0x55), Block: fill(0x46), Height: 8, Status: "Sealed"}, nil)
}

func (d *sample) Withdraw(ctx context.Context, item, _ string) (agent.Receipt, error) {
	if item != housing.Label {
		return answer(ctx, d, agent.Receipt{}, fmt.Errorf("item %q: %w", item, agent.ErrNotFound))
	}
	return answer(ctx, d, agent.Receipt{Tx: fill(0x55), Block: fill(0x46), Height: 8, Status: "Sealed"}, nil)
}

func (d *sample) Rule(ctx context.Context, item string) (agent.Heads, error) {
	switch item {
	case housing.Label:
		return answer(ctx, d, agent.Heads{Item: housing.ID, Label: housing.Label, Heads: []ledger.TxID{fill(0x51)}, State: housing.State}, nil)
	case torn.Label:
		return answer(ctx, d, agent.Heads{Item: torn.ID, Label: torn.Label, Heads: []ledger.TxID{fill(0x53), fill(0x54)}, State: torn.State}, nil)
	}
	return answer(ctx, d, agent.Heads{}, fmt.Errorf("item %q: %w", item, agent.ErrNotFound))
}

func (d *sample) Operate(ctx context.Context, w agent.OperatorWord) error {
	_, err := answer(ctx, d, 0, nil)
	return err
}

func (d *sample) Enrol(ctx context.Context, raw []byte) error {
	_, err := answer(ctx, d, 0, nil)
	return err
}

func (d *sample) Close() error { return nil }
