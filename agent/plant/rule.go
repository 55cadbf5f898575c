package plant

import (
	"time"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// rule has quality scrap the items that can go on by nobody's work: those that
// people brought into conflict, those that were set aside or rest on a revoked
// block, and those in work at a gateway that was revoked. It returns how many
// there were.
func (p *plant) rule() (int, error) {
	office := p.office()
	var items []ledger.Item
	conflicts := 0
	err := office.replica.Read(func(v *replica.View) error {
		for _, s := range []replica.Standing{replica.InConflict, replica.Nonconforming, replica.InWork} {
			for it, err := range v.ItemsIn(s, ledger.ItemID{}, 0) {
				if err != nil {
					return err
				}
				if s == replica.InWork && !p.outcasts[it.State().By] {
					continue
				}
				if s == replica.InConflict {
					conflicts++
				}
				items = append(items, it)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, it := range items {
		t, err := ledger.SignTx(p.genesis.Network(), ledger.Tx{
			Time: time.Now().UnixMilli(), Item: it.ID, After: it.HeadIDs,
			Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "cannot go on"},
		}, identity(quality))
		if err != nil {
			return 0, err
		}
		p.submit(office, "ruling on "+it.Label, t)
		p.ruled[it.Label] = true
	}
	p.checks.conflicts += conflicts
	return len(items), nil
}
