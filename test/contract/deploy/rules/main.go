// Checks files of Prometheus rules with the package that Prometheus and `promtool check rules` read them by: names, expressions,
// durations, labels, and the templates of labels and annotations. Prints the number of rules of each file.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	code := 0
	for _, file := range os.Args[1:] {
		groups, problems := rulefmt.ParseFile(file, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.Default())
		for _, problem := range problems {
			code = 1
			fmt.Fprintln(os.Stderr, problem)
		}
		if len(problems) > 0 {
			continue
		}
		count := 0
		for _, group := range groups.Groups {
			count += len(group.Rules)
		}
		fmt.Println(count)
	}
	os.Exit(code)
}
