package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// mosquitto starts Debian's broker on a free loopback port.
func mosquitto(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		if program = "/usr/sbin/mosquitto"; exec.Command(program, "-h").Run() != nil {
			if _, err := os.Stat(program); err != nil {
				t.Skip("mosquitto is not installed: apt-get install mosquitto")
			}
		}
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	ok(t, os.WriteFile(conf, []byte(fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port)), 0o644))
	cmd := exec.Command(program, "-c", conf)
	ok(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		} else if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not answer: %v", err)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer l.Close() //nolint:errcheck // only its port was wanted
	return l.Addr().String()
}

// cable is a TCP line to the broker that can be cut and mended.
type cable struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newCable(t testing.TB, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	c := &cable{l: l, to: to}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.carry(near) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.set(true); all.Wait() })
	return c
}

func (c *cable) carry(near net.Conn) {
	far, err := net.Dial("tcp", c.to)
	c.mu.Lock()
	if err != nil || c.cut {
		c.mu.Unlock()
		_ = near.Close()
		if far != nil {
			_ = far.Close()
		}
		return
	}
	c.conns = append(c.conns, near, far)
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
	both.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
	both.Wait()
}

// set cuts or mends the cable.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
}

func broker(address string) string { return fmt.Sprintf("[broker]\nurls = [\"mqtt://%s\"]\n", address) }

// drillAndPack is an order of two operations.
func drillAndPack() ledger.Order {
	return ledger.Order{ID: "PO-1", Product: "BRACKET", Quantity: 20, Routing: []ledger.Operation{
		{ID: "op10", Task: "drill", Place: "DRILL-1", MaxReturns: 1},
		{ID: "op20", Task: "pack", Place: "PACK-1", Needs: []string{"op10"}, MaxReturns: 1},
	}}
}

// three starts intake, drilling and packing; the drilling station's way to the
// broker is a cable of its own.
func three(t *testing.T, address string, order ledger.Order) (intake, drilling, packing *gateway, line *cable) {
	t.Helper()
	p := newPlant(t)
	line = newCable(t, address)
	intake = p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+broker(address))
	drilling = p.gateway("g-drilling", "DRILL-1", "drilling", broker(line.l.Addr().String()))
	packing = p.gateway("g-packing", "PACK-1", "packing", broker(address))
	for _, g := range []*gateway{intake, drilling, packing} {
		g.plug()
		g.start()
		g.ready()
	}
	intake.order(order)
	return intake, drilling, packing, line
}

// settle waits until all gateways hold the same views, every block confirmed.
func settle(t testing.TB, gs ...*gateway) agent.Status {
	t.Helper()
	var all []agent.Status
	defer func() {
		if t.Failed() {
			for _, s := range all {
				t.Logf("%s: %d blocks, %d confirmed by %d witnesses, lag %d, views %.8s", s.Gateway, s.Blocks, s.Confirmed, s.Witnesses, s.Lag, s.Views)
			}
		}
	}()
	gs[0].until("equal and confirmed replicas", func() bool {
		all = nil
		equal := true
		for _, g := range gs {
			s, err := g.desk().Status(context.Background())
			if err != nil {
				return false
			}
			all = append(all, s)
			equal = equal && s.Confirmed == s.Blocks && s.Views == all[0].Views
		}
		return equal
	})
	return all[0]
}

// TestThreeGatewaysOverMosquitto takes an item through a line on Debian's
// broker: scans at one station are known, and lawful, at the next, and every
// block is confirmed by all.
func TestThreeGatewaysOverMosquitto(t *testing.T) {
	t.Parallel()
	intake, drilling, packing, _ := three(t, mosquitto(t), drillAndPack())
	const tag = "04A1B2C3D4E580"
	intake.scan(tag, "TAKEN IN")
	drilling.knows(tag)
	drilling.scan(tag, "ACCEPTED")
	drilling.scan(tag, "COMPLETED")
	packing.knows(tag, "PACK-1")
	packing.scan(tag, "ACCEPTED")
	packing.scan(tag, "COMPLETED")
	s := settle(t, intake, drilling, packing)
	if s.Items != 1 || s.Conflicts != 0 || s.Evidence != 0 {
		t.Errorf("status %+v", s)
	}
	doc, err := intake.desk().Item(context.Background(), tag)
	ok(t, err)
	if doc.State != "finished" || len(doc.History) != 5 {
		t.Errorf("item is %s after %d entries", doc.State, len(doc.History))
	}
}

// knows waits until the item of a tag is known here, and expected at a place.
func (g *gateway) knows(tag string, at ...string) {
	g.t.Helper()
	d := g.desk()
	g.until("item "+tag, func() bool {
		it, err := d.Item(context.Background(), tag)
		return err == nil && (len(at) == 0 || len(it.Where) == 1 && it.Where[0] == at[0])
	})
}

// TestRestoredCopy starts an old copy of a gateway's replica cut off from its
// peers: it works on, one item twice. When it is connected again nothing is
// lost, its branches are joined, evidence names it, the doubled item is in
// conflict everywhere until quality rules, and all replicas are equal.
func TestRestoredCopy(t *testing.T) {
	t.Parallel()
	intake, drilling, packing, line := three(t, mosquitto(t), drillAndPack())
	tags := make([]string, 7)
	for i := range tags {
		tags[i] = fmt.Sprintf("0400000000%02X80", i+1)
		intake.scan(tags[i], "TAKEN IN")
	}
	drilling.knows(tags[6])
	drilling.scan(tags[6], "ACCEPTED") // known to all, in the copy as well
	settle(t, intake, drilling, packing)
	drilling.stop()
	data, copied := filepath.Join(drilling.dir, agent.DataName), filepath.Join(t.TempDir(), "copy")
	ok(t, os.CopyFS(copied, os.DirFS(data)))

	drilling.start()
	drilling.ready()
	drilling.scan(tags[0], "ACCEPTED") // the part that will be lost here
	lost := settle(t, intake, drilling, packing)
	drilling.kill()
	ok(t, os.RemoveAll(data))
	ok(t, os.Rename(copied, data))
	line.set(true)

	drilling.start()
	drilling.ready()
	drilling.scan(tags[0], "ACCEPTED") // again: it does not know better
	for _, tag := range tags[1:6] {
		drilling.scan(tag, "ACCEPTED")
	}
	line.set(false)
	for _, g := range []*gateway{intake, drilling, packing} {
		g.until("block that joins the branches", func() bool { return g.joined("g-drilling") })
	}
	s := settle(t, intake, drilling, packing)
	if s.Conflicts != 1 || s.Evidence != 1 {
		t.Errorf("%d conflicts and %d in evidence, want one each", s.Conflicts, s.Evidence)
	}
	if s.Blocks < lost.Blocks+6 {
		t.Errorf("%d blocks; %d were sealed before and 6 on the branch: something is lost", s.Blocks, lost.Blocks)
	}
	for _, g := range []*gateway{intake, drilling, packing} {
		g.evidenceAndConflict("g-drilling", tags[0])
	}
	intake.rule(tags[0], ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "op10", Task: "drill", Place: "DRILL-1", Reason: "accepted twice after a restore"})
	s = settle(t, intake, drilling, packing)
	if s.Conflicts != 0 {
		t.Errorf("%d conflicts after the ruling", s.Conflicts)
	}
	drilling.scan(tags[0], "ACCEPTED")
	drilling.scan(tags[0], "COMPLETED")
	settle(t, intake, drilling, packing)
}

func (g *gateway) evidenceAndConflict(author, tag string) {
	g.t.Helper()
	ctx := context.Background()
	d := g.desk()
	evidence, err := d.Evidence(ctx)
	ok(g.t, err)
	if len(evidence) != 1 || evidence[0].Author != author {
		g.t.Errorf("%s names %+v in evidence, want %s", g.name, evidence, author)
	}
	it, err := d.Item(ctx, tag)
	ok(g.t, err)
	if it.State != "in conflict" || len(it.Heads) != 2 || it.Heads[0].Author != author {
		g.t.Errorf("%s: item is %s with heads %+v", g.name, it.State, it.Heads)
	}
}

// joined reports whether a block of the author joins branches of its chain.
func (g *gateway) joined(author string) bool {
	blocks, err := g.desk().Blocks(context.Background(), agent.BlockQuery{Author: author, Limit: 1000})
	return err == nil && slices.ContainsFunc(blocks, func(b agent.BlockLine) bool { return b.Joins })
}

// rule has quality rule on an item through this gateway.
func (g *gateway) rule(item string, ruling ledger.Disposition) {
	g.t.Helper()
	quality, err := g.plant.Person("quality")
	ok(g.t, err)
	d := g.desk()
	h, err := d.Rule(context.Background(), item)
	ok(g.t, err)
	tx, err := ledger.SignTx(g.plant.Genesis.Network(), ledger.Tx{Time: time.Now().UnixMilli(), Item: h.Item, After: h.Heads, Body: ruling}, quality)
	ok(g.t, err)
	_, err = d.Submit(context.Background(), tx.Raw())
	ok(g.t, err)
}

// TestOperatorsWord completes an operation whose limits no device measures: the
// station waits for the form, and judges what was entered.
func TestOperatorsWord(t *testing.T) {
	t.Parallel()
	order := drillAndPack()
	order.Routing[0].Limits = []ledger.Limit{{Name: "bore", Min: 1198, Max: 1203, Exponent: -2, Unit: "mm", OnFail: ledger.Return}}
	intake, drilling, packing, _ := three(t, mosquitto(t), order)
	const good, bad = "04000000000001", "04000000000002"
	for _, tag := range []string{good, bad} {
		intake.scan(tag, "TAKEN IN")
		drilling.knows(tag)
		drilling.scan(tag, "ACCEPTED")
		drilling.scan(tag, "WAIT")
		form := ledger.Form{Measurements: []ledger.Measurement{{Name: "bore", Value: 1200, Exponent: -2, Unit: "mm"}}}
		if tag == bad {
			form.Measurements[0].Value = 1250
		}
		ok(t, drilling.desk().Operate(context.Background(), agent.OperatorWord{Item: tag, Form: &form}))
		drilling.scan(tag, "COMPLETED")
		packing.knows(tag, "PACK-1")
	}
	packing.scan(good, "ACCEPTED")
	packing.scan(bad, "RETURN")
	settle(t, intake, drilling, packing)
	drilling.knows(bad, "DRILL-1")
}
