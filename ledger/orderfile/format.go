package orderfile

import (
	"fmt"
	"strings"
	"time"

	"traveler.example/ledger"
)

// Format writes an order as a file that Parse reads back to the same order;
// limits with a positive exponent and weights not in mg come back equal in value
// but written out. A cancellation has no operations and so no file that Parse
// would take.
func Format(o ledger.Order) []byte {
	var w writer
	w.text("id", o.ID)
	w.text("product", o.Product)
	w.text("design", o.Design)
	if !o.Document.IsZero() {
		w.text("document", o.Document.String())
	}
	if o.Quantity != 0 {
		w.line("quantity = %d", o.Quantity)
	}
	if !o.Replaces.IsZero() {
		w.text("replaces", o.Replaces.String())
	}
	for _, op := range o.Routing {
		w.operation(op)
	}
	return []byte(w.String())
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}

// text writes a string unless it is empty.
func (w *writer) text(key, s string) {
	if s != "" {
		w.line("%s = %s", key, quote(s))
	}
}

func (w *writer) operation(op ledger.Operation) {
	w.line("\n[[operation]]")
	w.text("id", op.ID)
	w.text("task", op.Task)
	w.text("place", op.Place)
	w.list("needs", op.Needs, quote)
	if len(op.Inputs) > 0 {
		w.line("inputs = [")
		for _, in := range op.Inputs {
			w.line("  { product = %s, count = %d },", quote(in.Product), in.Count)
		}
		w.line("]")
	}
	if len(op.Limits) > 0 {
		w.line("limits = [")
		for _, l := range op.Limits {
			w.limit(l)
		}
		w.line("]")
	}
	w.line("max_returns = %d", op.MaxReturns)
	if op.Dwell != 0 {
		w.text("dwell", (time.Duration(op.Dwell) * time.Millisecond).String())
	}
	if op.Signers != 0 {
		w.line("signers = %d", op.Signers)
	}
	w.text("consumed_by", op.ConsumedBy)
}

func (w *writer) limit(l ledger.Limit) {
	onFail := "return"
	if l.OnFail == ledger.SetAside {
		onFail = "set aside"
	}
	e := int(l.Exponent)
	w.line("  { name = %s, min = %s, max = %s, unit = %s, on_fail = %s },", quote(l.Name),
		quote(ledger.FormatDecimal(l.Min, e)), quote(ledger.FormatDecimal(l.Max, e)), quote(l.Unit), quote(onFail))
}

func (w *writer) list(key string, items []string, show func(string) string) {
	if len(items) == 0 {
		return
	}
	shown := make([]string, 0, len(items))
	for _, s := range items {
		shown = append(shown, show(s))
	}
	w.line("%s = [%s]", key, strings.Join(shown, ", "))
}

// quote writes a basic string of TOML; texts of an order have no control
// characters.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
