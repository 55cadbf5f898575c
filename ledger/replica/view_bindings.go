package replica

import "traveler.example/ledger"

// Binding is an intake or a bind with the tags that it ties to its item.
type Binding struct {
	Tx   ledger.TxID
	Tags []string
}

// Bindings returns the bindings of an item that count and that no counted one
// supersedes, by transaction: what a bind that frees a tag has to name. They are
// in force until the item is closed.
func (v *View) Bindings(item ledger.ItemID) ([]Binding, error) {
	rec, _, err := read[itemRecord](v.r, keyItem+str(item))
	if err != nil {
		return nil, err
	}
	var out []Binding
	for _, b := range inForce(rec.Bindings) {
		if len(b.Tags) > 0 {
			out = append(out, Binding{Tx: b.Tx, Tags: append([]string(nil), b.Tags...)})
		}
	}
	return out, nil
}
