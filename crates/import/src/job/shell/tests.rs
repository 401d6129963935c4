//! What the reader makes of scripts.

use super::*;

#[test]
fn variables_lists_and_sums_are_filled_in() {
    let check = |text: &str, wanted: &[&str]| {
        let script = Script::read(text, &Variables::new());
        let words = &script.commands.last().expect("a command").words;
        assert_eq!(words, wanted, "{text}");
    };
    check("A=8\nrun --n $A", &["run", "--n", "8"]);
    check("A=8\nB=$((A * 4))\nrun --n ${B} \\\n  --m x", &["run", "--n", "32", "--m", "x"]);
    check("ARGS=(\n --a 1 # why\n --b\n)\nrun ${ARGS[@]} --c", &["run", "--a", "1", "--b", "--c"]);
    check("O=\"--a 1 \\\n --b 2\"\nrun $O", &["run", "--a", "1", "--b", "2"]);
    check("run ${N:-4} \"a b\"", &["run", "4", "a b"]);
    check("A=1 B=2 run '$A' $A", &["run", "$A", "1"]);
    check("cd x && run --x=1 > log 2>&1", &["run", "--x=1"]);
    check("run 8 2>&1 >$L | tee x", &["tee", "x"]);
    check("python - <<EOF\nimport x\nEOF\nrun", &["run"]);
    check("run <<< \"$A\" b", &["run", "$A", "b"]);
    check("read K <<< \"$A\"\nrun", &["run"]);
    check("read -r -d '' A <<END\n--n 4 \\\n--m\nEND\nrun $A", &["run", "--n", "4", "--m"]);
    check("A+=(\"--y\")\nA+=(\"--z\")\nrun ${A[@]}", &["run", "--y", "--z"]);
}

#[test]
fn the_branch_that_holds_is_read() {
    let check = |text: &str, wanted: &[&str]| {
        let script = Script::read(text, &Variables::new());
        let words: Vec<&str> = script.commands.iter().map(|it| it.words[0].as_str()).collect();
        assert_eq!(words, wanted, "{text}");
    };
    check("A=1\nif [ $A -eq 1 ]; then\n x\nelse\n y\nfi\nz", &["x", "z"]);
    check("A=0\nif [ \"$A\" = 1 ]\nthen\n x\nelif [ $A = 0 ]; then y\nelse w\nfi\nz", &["y", "z"]);
    check("if [ \"$A\" = 1 ]; then\n x\nelse\n y\nfi", &["x", "y"]);
    check("if [[ a == b ]] || [[ c ]]; then\n x\nfi", &["x"]);
    check("if [ a = b ]; then\n if [ a = a ]; then x; fi\n y\nfi\nz", &["z"]);
    check("if test -f x; then\n x\nfi", &["x"]);
    check("fi\nelse\nx", &["x"]);
}

#[test]
fn files_are_written_by_scripts() {
    let text = "N=4\ncat <<EOT > $D/a.json\n{\"n\": $N}\nEOT\ncat > b <<'E'\n$N\nE\n\
                kubectl apply -f - <<-EOF\nkind: Job\n\tEOF\ntee c <<X\nx\nX\n";
    let script = Script::read(text, &Variables::new());
    let files: Vec<_> = script.files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(files, [("$D/a.json", "{\"n\": 4}\n"), ("b", "$N\n"), ("c", "x\n")]);
    assert_eq!(script.texts, ["kind: Job\n"]);
}

#[test]
fn variables_of_containers_are_filled_in() {
    let variables = Variables::from([("M".to_owned(), vec!["x".to_owned()])]);
    for (text, wanted) in [("--model=$(M)", "--model=x"), ("$M ${M} $N", "x x $N")] {
        assert_eq!(Script::read("", &variables).filled(text), wanted);
    }
}

#[test]
fn arguments_are_settings() {
    let words = ["train.py", "--a", "1", "--flag", "--b=2", "m.c=[x,y]", "--list", "1", "2"];
    let words: Vec<String> = words.map(str::to_owned).into();
    let (settings, alone) = settings(&words);
    let found: Vec<String> =
        settings.iter().map(|it| format!("{}={}", it.key, it.words.join(", "))).collect();
    assert_eq!(found, ["a=1", "flag=", "b=2", "m.c=x, y", "list=1, 2"]);
    assert_eq!(alone, ["train.py"]);
}

#[test]
fn sums_of_products() {
    let check = |text: &str, wanted: Option<i64>| assert_eq!(arithmetic(text), wanted, "{text}");
    check("8*4", Some(32));
    check("2 + 3 * 4", Some(14));
    check("(64 / 8)", Some(8));
    check("-1+2", Some(1));
    check("1/0", None);
    check("x", None);
}

#[test]
fn nothing_panics() {
    for text in [
        "$", "${", "$((", "'", "A=(", "\\", "a{", "{a", "$(x", "é=", "A=é $é", "<<", "x <<\"", ">",
        ">&",
    ] {
        let _ = Script::read(text, &Variables::new());
    }
}
