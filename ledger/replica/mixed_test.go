package replica

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"

	"traveler.example/ledger"
)

// mixedKeys makes admin, planner and some gateways sign with RSA, the others
// with Ed25519.
func mixedKeys(tb testing.TB) func(name string) crypto.Signer {
	tb.Helper()
	keys := map[string]crypto.Signer{}
	names := map[string]string{
		"anna-3072": "admin", "rescue-4096": "recovery", "pete-2048": "planner", "mill-3072": "g0", "wulf-4096": "g2",
	}
	rest := must(os.ReadFile("../testdata/keys-rsa.pem"))
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		keys[names[block.Headers["Name"]]] = must(x509.ParsePKCS8PrivateKey(block.Bytes)).(crypto.Signer)
	}
	return func(name string) crypto.Signer {
		if key, ok := keys[name]; ok {
			return key
		}
		return keyOf(name)
	}
}

// TestMixedNetwork: RSA and Ed25519 in one network enrol, order, seal, witness
// and are named in evidence as one kind alone does.
func TestMixedNetwork(t *testing.T) {
	for name, open := range map[string]opener{"memory": inMemory, "Badger": onBadger} {
		t.Run(name, func(t *testing.T) {
			p := newPlantOf(t, 3, mixedKeys(t))
			p.start(open)
			rsa3072, ed, rsa4096 := p.gateways[0], p.gateways[1], p.gateways[2]
			order := p.orderFor("WO-1") // RSA-2048
			ed.append(order)
			p.share()

			intake := rsa3072.intake(order.ID(), "L-1", "04A1")
			accept := rsa3072.accept(intake.ID(), intake.ID(), optionA)
			report := rsa3072.report(intake.ID(), accept.ID(), optionA, optionB)
			rsa3072.append(intake, accept, report)
			p.share()
			taken := ed.accept(intake.ID(), report.ID(), optionB)
			last := ed.append(taken, ed.report(intake.ID(), taken.ID(), optionB))
			p.share()
			p.agree()
			if s := rsa4096.item(intake.ID()).State(); s.Phase != ledger.Finished {
				t.Errorf("the item is %v", s.Phase)
			}
			rsa3072.take(p.frontier(rsa4096, last.Ref()), p.frontier(ed, last.Ref()))
			if n, m, ok := rsa3072.confirmation(last.Ref()); n != 2 || m != 3 || !ok {
				t.Errorf("confirmed %d of %d: %v", n, m, ok)
			}

			backup := p.fork(rsa3072, 0, open)
			backup.append(p.orderFor("WO-2"))
			if res := ed.take(backup.blocks(rsa3072.id)...); !slices.Equal(res.Evidence, []ledger.KeyID{rsa3072.id}) {
				t.Errorf("two versions of an RSA chain: evidence against %v", res.Evidence)
			}
		})
	}
}

// TestFullBlocksOfRSA: what the committer gathers fits a block beside the
// largest signature.
func TestFullBlocksOfRSA(t *testing.T) {
	p := newPlantOf(t, 3, mixedKeys(t))
	p.start(inMemory)
	g := p.gateways[2] // RSA-4096
	d := draft{}
	for i := 0; ; i++ {
		o := p.orderFor("WO-" + strings.Repeat("x", 1+i%20))
		body := o.Body.(ledger.Order)
		body.Design = strings.Repeat("d", 2000-i*7)
		tx := p.signed(p.planner, ledger.Tx{Body: body})
		if !d.holds(append(d.txs, tx)) {
			break
		}
		d.txs = append(d.txs, tx)
	}
	b, err := g.r.Append(context.Background(), Batch{Txs: d.txs})
	p.check(err)
	if n := len(b.Raw()); len(b.Txs()) != len(d.txs) || n > ledger.MaxBlock || n < ledger.MaxBlock-4096 {
		t.Errorf("%d of %d transactions in %d bytes", len(b.Txs()), len(d.txs), n)
	}
}
