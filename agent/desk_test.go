package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// pipes is a listener whose connections are pipes, which a bubble understands.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial returns a client of whoever listens.
func (p *pipes) dial(t testing.TB) *client {
	c := &client{path: "pipe"}
	c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case p.conns <- far:
			return near, nil
		case <-p.ended:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// controlled is a running gateway with a control socket.
func controlled(t testing.TB, p *plant, name string) (*board, *client) {
	t.Helper()
	l := newPipes()
	b := p.gateway(name)
	b.build(func(_ *Config, parts *Parts) {
		parts.Services = append(parts.Services, func(ctx context.Context) error { return b.ServeControl(ctx, l) })
	})
	return b.run(), l.dial(t)
}

// calls are arguments for every method of a Desk; a call that changes something
// is one that may be repeated.
func calls(t testing.TB, p *plant, b *board) map[string][][]any {
	book := &book{t, p, b.replica}
	order := book.order(benchOrder("WO-1"))
	part := book.intake(order, "P-1", tagB).ID()
	item := book.intake(order, "L-1", tagA).ID()
	book.intake(order, "TWIN", "04DD")
	book.intake(order, "TWIN", "04DE")
	accepted := book.accept(item, item)
	reported := book.report(item, accepted.ID(), ledger.Report{
		Weight: 12_500, Measurements: []ledger.Measurement{{Name: "bore", Value: -1203, Exponent: -2, Unit: "mm"}},
		Inputs: []ledger.Input{{Item: part, Head: part}}, Note: `odd <&> "ü"` + "\u2028",
	})
	amended := book.amend(item, reported.ID(), ledger.Amend{Weight: 12_600, Reason: "late"})
	misrouted := p.seal("intake", b.replica, ledger.Tx{Item: item, Body: ledger.Misroute{Station: "INTAKE-1", Tag: tagA}})
	bound := p.append(b.replica, p.signed("quinn", ledger.Tx{Item: item, Body: ledger.Bind{Tags: []string{"04EE"}}}))
	withdrawn := book.withdraw(item, reported.ID())
	ruled := p.append(b.replica, p.signed("quinn", ledger.Tx{
		Item: item, After: []ledger.TxID{withdrawn.ID()}, Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "bent"},
	}))
	for _, version := range p.fork("drill-2") {
		_, err := b.replica.Ingest(context.Background(), version...)
		must(t, err)
	}
	ids := func(ids ...string) (out [][]any) {
		for _, id := range append(ids, "", "nothing", "ffffffff", strings.Repeat("f", 64), "a/b", "%2f?&=\x00", "intake/x", "intake/99") {
			out = append(out, []any{id})
		}
		return out
	}
	hash := func(h ledger.Hash) string { return h.String() }
	statement := p.state(enrolled("late", ledger.RoleGateway))
	gap := p.state(enrolled("later", ledger.RoleGateway))
	must(t, b.Desk().Enrol(context.Background(), statement.Raw()))
	unsigned := p.signed("paula", ledger.Tx{Body: benchOrder("WO-8")})
	return map[string][][]any{
		"Status": {{}}, "Peers": {{}}, "Orders": {{}}, "Roster": {{}}, "Evidence": {{}}, "Stats": {{}}, "TestLights": {{}},
		"Items": {
			{ItemQuery{}},
			{ItemQuery{Limit: 1}},
			{ItemQuery{Limit: -5}},
			{ItemQuery{Limit: 5000}},
			{ItemQuery{Phase: "held"}},
			{ItemQuery{Phase: "scrapped"}},
			{ItemQuery{Phase: "lost & found"}},
			{ItemQuery{After: hash(item)}},
			{ItemQuery{After: "x"}},
		},
		"Blocks": {
			{BlockQuery{}},
			{BlockQuery{Author: "intake", From: 3, Limit: 2}},
			{BlockQuery{Author: "drill-2"}},
			{BlockQuery{Author: "nobody"}},
			{BlockQuery{From: 1 << 40}},
			{BlockQuery{Limit: -1}},
			{BlockQuery{From: 1<<64 - 1}},
		},
		"Item": ids("L-1", "P-1", "TWIN", tagA, hash(item), hash(item)[:10]), "Rule": ids("L-1", "TWIN"),
		"Order": ids("WO-1", "WO-", "WO-FORK", "WO-FORK-1"), "Block": ids("intake/1", "drill-2/1", "intake/18446744073709551616", "in/1"),
		"Transaction": ids(hash(order.ID()), hash(item), hash(accepted.ID()), hash(reported.ID()), hash(amended.ID()), hash(misrouted.ID()),
			hash(bound.ID()), hash(withdrawn.ID()), hash(ruled.ID()), hash(ruled.ID())[:9]),
		"Submit":     {{order.Raw()}, {ruled.Raw()}, {[]byte{}}, {[]byte("nonsense")}, {make([]byte, ledger.MaxTx+1)}, {reported.Raw()}, {unsigned.Raw()}},
		"Statements": {{}}, "Bindings": ids("L-1", "TWIN"),
		"Chain": {
			{"intake", []string(nil)},
			{"drill-2", []string{}},
			{"intake", []string{strings.Repeat("f", 64), strings.Repeat("0", 64)}},
			{"intake", []string{"ffffffff"}},
			{"nobody", []string(nil)},
		},
		"Amend": {
			{"nothing", ledger.Amend{Note: "ä & b", Reason: "x"}}, {"TWIN", ledger.Amend{}}, {"P-1", ledger.Amend{Note: "x", Reason: "x"}},
		},
		"Bind": {
			{"nothing", BindQuery{}},
			{"TWIN", BindQuery{Tags: []string{"T"}}},
			{"P-1", BindQuery{}},
			{"P-1", BindQuery{Tags: []string{"<b>"}}},
			{"P-1", BindQuery{Free: []string{"T9"}, Replace: true}},
		},
		"Withdraw": {
			{"L-1", "ä & b"}, {"nothing", ""}, {"TWIN", ""}, {"P-1", strings.Repeat("x", 300)},
		},
		"Operate": {
			{OperatorWord{}},
			{OperatorWord{Cancel: true}},
			{OperatorWord{Item: "L-1"}},
			{OperatorWord{Item: "TWIN"}},
			{OperatorWord{Item: "nothing", Form: &ledger.Form{}}},
			{OperatorWord{Form: &ledger.Form{Failed: true, Failure: "ü"}}},
		},
		"Enrol": {{statement.Raw()}, {gap.Raw()}, {[]byte("nonsense")}, {[]byte{}}, {p.statements[0].Raw()}},
	}
}

var sentinels = []error{ErrNotFound, ErrAmbiguous, ErrUnreachable, ErrNotPermitted, ErrConflict, ErrStopped, ErrRefused}

func kindOf(err error) error {
	for _, k := range sentinels {
		if errors.Is(err, k) {
			return k
		}
	}
	return err
}

// TestTheSocketSaysTheSame calls every method of the Desk in the process and over
// the control socket: documents and errors are the same.
func TestTheSocketSaysTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b, remote := controlled(t, p, "intake")
		table := calls(t, p, b)
		desks := reflect.TypeFor[Desk]()
		for i := range desks.NumMethod() {
			m := desks.Method(i)
			if m.Name == "Close" {
				continue
			}
			if len(table[m.Name]) == 0 {
				t.Errorf("%s is called by nobody", m.Name)
			}
			for _, args := range table[m.Name] {
				near, nearErr := call(b.Desk(), m.Name, args)
				far, farErr := call(remote, m.Name, args)
				if (nearErr == nil) != (farErr == nil) {
					t.Errorf("%s(%.80q): %v\nover the socket: %v", m.Name, args, nearErr, farErr)
					continue
				}
				if kindOf(nearErr) != kindOf(farErr) && nearErr.Error() != farErr.Error() || fmt.Sprint(nearErr) != fmt.Sprint(farErr) {
					t.Errorf("%s(%.80q): %v\nover the socket: %v", m.Name, args, nearErr, farErr)
				}
				if nearErr == nil && !reflect.DeepEqual(emptied(near), emptied(far)) {
					t.Errorf("%s(%.80q):\n%+v\nover the socket:\n%+v", m.Name, args, near, far)
				}
				if a, b := encoded(t, near), encoded(t, far); nearErr == nil && a != b {
					t.Errorf("%s(%.80q):\n%s\nover the socket:\n%s", m.Name, args, a, b)
				}
			}
		}
	})
}

func call(d Desk, method string, args []any) (any, error) {
	in := []reflect.Value{reflect.ValueOf(context.Background())}
	for _, a := range args {
		in = append(in, reflect.ValueOf(a))
	}
	out := reflect.ValueOf(d).MethodByName(method).Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	if len(out) == 1 {
		return nil, err
	}
	return out[0].Interface(), err
}

// emptied is v with empty slices and maps as nil: JSON does not tell them apart
// where they are left out.
func emptied(v any) any {
	if v == nil {
		return nil
	}
	c := reflect.New(reflect.TypeOf(v)).Elem()
	c.Set(reflect.ValueOf(v))
	empty(c)
	return c.Interface()
}

func empty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.SetZero()
		}
		for i := range v.Len() {
			empty(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				empty(v.Field(i))
			}
		}
	}
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}

func TestLookUpsThatFindNothing(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		calls(t, p, b)
		d, ctx := b.Desk(), context.Background()
		of := func(_ any, err error) error { return err }
		for what, c := range map[string]struct{ got, want error }{
			"block by no hash":           {of(d.Block(ctx, "nothing")), ErrNotFound},
			"block by a short beginning": {of(d.Block(ctx, "fffff")), ErrNotFound},
			"block of nobody":            {of(d.Block(ctx, "nobody/1")), ErrNotFound},
			"block at no height":         {of(d.Block(ctx, "intake/1x")), ErrRefused},
			"block beyond the end":       {of(d.Block(ctx, "intake/999")), ErrNotFound},
			"block of a fork":            {of(d.Block(ctx, "drill-2/1")), ErrAmbiguous},
			"block of any gateway":       {of(d.Block(ctx, "/1")), ErrAmbiguous},
			"blocks of nobody":           {of(d.Blocks(ctx, BlockQuery{Author: "nobody"})), ErrNotFound},
			"order by a beginning":       {of(d.Order(ctx, "WO-FORK-1")), nil},
			"orders by a beginning":      {of(d.Order(ctx, "WO-FORK")), ErrAmbiguous},
			"order of no name":           {of(d.Order(ctx, "")), ErrNotFound},
			"transaction by a few":       {of(d.Transaction(ctx, "ab")), ErrNotFound},
			"transaction by no hash":     {of(d.Transaction(ctx, "zzzzzzzz")), ErrNotFound},
			"transaction unknown":        {of(d.Transaction(ctx, strings.Repeat("0", 64))), ErrNotFound},
			"heads of nothing":           {of(d.Rule(ctx, "nothing")), ErrNotFound},
		} {
			if !errors.Is(c.got, c.want) || (c.got == nil) != (c.want == nil) {
				t.Errorf("%s: %v, want %v", what, c.got, c.want)
			}
		}
	})
}

// directory makes a gateway's directory with some history, and stops.
func directory(t *testing.T, p *plant) (dir string, status Status) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "gateway-7")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, GenesisName), p.genesis.Raw(), 0o644))
	must(t, SaveKey(filepath.Join(dir, BoardKey), privateKey("intake"), Protection{}))
	r, err := replica.Open(filepath.Join(dir, DataName), replica.Options{
		Genesis: p.genesis, Signer: privateKey("intake"), UnsafeNoSync: true,
		Now: func() (int64, ledger.Clock) { return time.Now().UnixMilli(), ledger.ClockSynchronised },
	})
	must(t, err)
	p.know(r)
	b := &book{t, p, r}
	order := b.order(benchOrder("WO-1"))
	b.accept(b.intake(order, "L-1", tagA).ID(), itemOf(t, r, tagA).ID)
	d := &desk{replica: r, genesis: p.genesis, key: keyID("intake")}
	status, err = d.Status(context.Background())
	must(t, err)
	must(t, r.Close())
	return dir, status
}

// fingerprint is all that lies in a directory: names, modes, times, contents.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %v %d %d", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %x", sha256.Sum256(text))
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// TestADirectoryIsNeverWritten reads everything from a stopped gateway's
// directory, and asks it for what only a running one can do.
func TestADirectoryIsNeverWritten(t *testing.T) {
	p := newPlant(t)
	dir, status := directory(t, p)
	before := fingerprint(t, dir)
	d, err := OpenDirectory(dir)
	must(t, err)
	ctx := context.Background()
	s, err := d.Status(ctx)
	must(t, err)
	if s.Views != status.Views || s.Height != 3 || s.Blocks != 3 || s.Items != 1 || s.Key != keyID("intake") || s.Running || s.Gateway != "gateway-7" {
		t.Errorf("status %+v", s)
	}
	for name, args := range map[string][]any{
		"Peers": nil, "Items": {ItemQuery{}}, "Item": {"L-1"}, "Orders": nil, "Order": {"WO-1"}, "Blocks": {BlockQuery{}}, "Block": {"intake/2"},
		"Roster": nil, "Evidence": nil, "Stats": nil, "Rule": {tagA},
	} {
		if _, err := call(d, name, args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, args := range map[string][]any{"Submit": {[]byte{1}}, "Withdraw": {"L-1", "x"}, "Enrol": {[]byte{1}}, "Operate": {OperatorWord{Cancel: true}}} {
		if _, err := call(d, name, args); !errors.Is(err, ErrStopped) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, d.Close())
	if after := fingerprint(t, dir); after != before {
		t.Errorf("the directory changed:\n%s\nwas\n%s", after, before)
	}
}

func TestDirectoriesOfAllConditions(t *testing.T) {
	p := newPlant(t)
	dir, _ := directory(t, p)
	must(t, os.Remove(filepath.Join(dir, BoardKey)))
	t.Chdir(dir)
	d, err := OpenDirectory(".")
	must(t, err)
	if s, err := d.Status(context.Background()); err != nil || s.Gateway != "gateway-7" || !s.Key.IsZero() || s.Blocks != 3 {
		t.Errorf("without a key: %+v, %v", s, err)
	}
	must(t, d.Close())
	must(t, SaveKey(BoardKey, privateKey("intake"), Protection{}))
	must(t, os.Chmod(BoardKey, 0o644))
	if d, err = OpenDirectory(dir); err != nil {
		t.Errorf("a key that others can read keeps nobody from reading: %v", err)
	} else {
		must(t, d.Close())
	}
	must(t, os.Chmod(BoardKey, 0o600))
	must(t, os.WriteFile(BoardKey, []byte("garbage"), 0o600))
	if _, err := OpenDirectory(dir); err == nil || !strings.Contains(err.Error(), BoardKey) {
		t.Errorf("with a key that is none: %v", err)
	}
	if _, err := OpenDirectory(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := OpenDirectory(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}
