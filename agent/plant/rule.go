package plant

import (
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// rule has quality scrap the items that people brought into conflict. It returns
// how many there were.
func (p *plant) rule() (int, error) {
	last := p.gateways[len(p.gateways)-1]
	var items []ledger.Item
	err := last.replica.Read(func(v *replica.View) error {
		for it, err := range v.ItemsIn(replica.InConflict, ledger.ItemID{}, 0) {
			if err != nil {
				return err
			}
			items = append(items, it)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, it := range items {
		t, err := ledger.SignTx(p.genesis.Network(), ledger.Tx{
			Time: time.Now().UnixMilli(), Item: it.ID, After: it.HeadIDs,
			Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "worked on twice"},
		}, identity(quality))
		if err != nil {
			return 0, err
		}
		p.submit(last, "ruling on "+it.Label, t)
		p.checks.conflicts++
	}
	return len(items), nil
}
