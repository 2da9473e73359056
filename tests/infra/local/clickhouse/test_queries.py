import threading

import httpx
import pytest


def code_of(response) -> int:
    return int(response.headers["X-ClickHouse-Exception-Code"])


@pytest.fixture
def get(server):
    with server.client() as client:
        yield lambda **parameters: client.get("/", params=parameters)


def test_ping_and_the_root_answer_without_a_password(server):
    for path in ("/ping", "/", "/replicas_status"):
        answer = httpx.get(server.url + path, trust_env=False)
        assert (answer.status_code, answer.text) == (200, "Ok.\n")


def test_a_query_by_get_or_post_in_the_url_or_the_body_or_both(server, ask):
    with server.client() as client:
        assert client.get("/", params={"query": "SELECT 1"}).text == "1\n"
        assert client.post("/", content="SELECT 2").text == "2\n"
        assert client.post("/", params={"query": "SELECT "}, content="3").text == "3\n"
    assert ask("SELECT 4").text == "4\n"


def test_headers_tell_id_format_timezone_and_counts(ask):
    answer = ask("SELECT number FROM numbers(10) FORMAT JSONEachRow", query_id="mine")
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Timezone"]
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert '"read_rows":"10"' in answer.headers["X-ClickHouse-Summary"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CSV", '1,"a"\n'),
        ("TabSeparatedWithNames", "x\ty\n1\ta\n"),
        ("JSONEachRow", '{"x":1,"y":"a"}\n'),
        ("Values", "(1,'a')"),
        ("Null", ""),
    ],
)
def test_every_format_by_default_and_by_clause(ask, name, text):
    assert ask("SELECT 1 AS x, 'a' AS y", default_format=name).text == text
    assert ask(f"SELECT 1 AS x, 'a' AS y FORMAT {name}").text == text


def test_parameters_settings_and_database(ask):
    assert ask("SELECT {x:UInt8} + 1, {s:String}", param_x="41", param_s="it's").text == "42\tit\\'s\n"
    assert ask("SELECT getSetting('max_block_size')", max_block_size="77").text == "77\n"
    assert ask("SELECT currentDatabase()", database="system").text == "system\n"


def test_settings_of_one_request_do_not_reach_the_next(ask):
    ask("SELECT 1", max_block_size="77")
    assert ask("SELECT getSetting('max_block_size')").text != "77\n"


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELECT * FROM nowhere", 60, 404),
        ("SELEC 1", 62, 400),
        ("", 62, 400),
        ("SELECT 1; SELECT 2", 62, 400),
        ("SELECT nothing", 47, 404),
        ("SELECT 1 FORMAT Nonsense", 73, 404),
        ("SELECT toUInt8('x')", 6, 400),
        ("SELECT * FROM nodatabase.t", 81, 404),
    ],
)
def test_exceptions_in_clickhouses_words_with_its_statuses(ask, sql, code, status):
    answer = ask(sql)
    assert (code_of(answer), answer.status_code) == (code, status)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_an_unknown_setting_is_an_error(ask):
    assert code_of(ask("SELECT 1", no_such_setting="1")) == 115


def test_format_and_semicolon_in_strings_and_comments_mean_nothing(ask):
    assert ask("SELECT 'x FORMAT JSON; SELECT 2' -- FORMAT CSV; SELECT 3").text == "x FORMAT JSON; SELECT 2\n"
    assert ask("SELECT /* ; FORMAT JSON */ 1 AS `FORMAT` ;;").text == "1\n"
    assert ask("SELECT $a$ FORMAT JSON; $a$").text == " FORMAT JSON; \n"


def test_get_cannot_write(get, ask, table):
    for sql in (
        f"INSERT INTO {table} VALUES (1, 'a')",
        f"DROP TABLE {table}",
        "CREATE TABLE x (a Int8) ENGINE = Memory",
    ):
        assert code_of(get(query=sql)) == 164
    assert code_of(get(query=f"DROP TABLE {table}", readonly="0")) == 164
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


def test_the_password_in_headers_in_basic_and_in_the_url(server):
    ways = [
        {"headers": {"X-ClickHouse-User": "default", "X-ClickHouse-Key": server.password}},
        {"auth": ("default", server.password)},
        {"params": {"user": "default", "password": server.password}},
    ]
    for way in ways:
        answer = httpx.post(server.url, content="SELECT 1", trust_env=False, **way)
        assert (answer.status_code, answer.text) == (200, "1\n")


def test_a_wrong_password_user_or_none_is_refused(server):
    ways = [
        {},
        {"auth": ("default", "wrong")},
        {"auth": ("other", server.password)},
        {"params": {"password": "é"}},
        {"headers": {"Authorization": "Basic ???"}},
    ]
    for way in ways:
        answer = httpx.post(server.url, content="SELECT 1", trust_env=False, **way)
        assert (answer.status_code, code_of(answer)) == (403, 516)
        assert answer.text.startswith("Code: 516. DB::Exception: ")


def test_a_session_keeps_temporary_tables_and_sets(ask):
    ask("CREATE TEMPORARY TABLE kept (a Int8)", session_id="s1")
    ask("INSERT INTO kept VALUES (7)", session_id="s1")
    ask("SET max_block_size = 78", session_id="s1")
    assert ask("SELECT a FROM kept", session_id="s1", session_check="1").text == "7\n"
    assert ask("SELECT getSetting('max_block_size')", session_id="s1").text == "78\n"
    assert code_of(ask("SELECT a FROM kept")) == 60
    assert code_of(ask("SELECT a FROM kept", session_id="s2")) == 60


def test_a_session_that_must_exist_and_a_wrong_timeout(ask):
    assert code_of(ask("SELECT 1", session_id="absent", session_check="1")) == 372
    assert code_of(ask("SELECT 1", session_id="s", session_timeout="soon")) == 374


def test_a_long_query_blocks_neither_ping_nor_other_readers(server):
    with server.client() as client:
        slow = threading.Thread(
            target=client.post,
            args=("/",),
            kwargs={"params": {"query": "SELECT sleepEachRow(0.5) FROM numbers(4) SETTINGS max_block_size = 1"}},
        )
        slow.start()
        assert httpx.get(f"{server.url}/ping", trust_env=False).text == "Ok.\n"
        with server.client() as other:
            assert other.post("/", content="SELECT 1").text == "1\n"
        assert slow.is_alive()
        slow.join()


def test_an_error_in_the_middle_of_a_stream_breaks_it_off_visibly(server):
    sql = "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)"
    with server.client() as client, client.stream("POST", "/", content=sql) as answer:
        text = b""
        with pytest.raises(httpx.TransportError):  # noqa: PT012 - what came before the break counts
            for chunk in answer.iter_raw():
                text += chunk
    assert b"__exception__" in text[-2000:]
    assert b"Code: 395. DB::Exception" in text[-2000:]
