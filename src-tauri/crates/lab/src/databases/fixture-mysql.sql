create table customer (id int primary key auto_increment, name varchar(80) not null, balance decimal(10,2)) engine=InnoDB;
create table picture (id int primary key, data longblob, taken datetime(6), at point) engine=InnoDB;
create table old_style (id int primary key, words text) engine=MyISAM;
create table `odd ``name``` (`select` int, `a b` varchar(20) default 'x\'y');
insert into customer (name, balance) values ('Łukasz 🌊', 12.34), ('O''Brien \\ "x"', -1), ('日本', null);
insert into picture values (1, unhex('0001027fff5c27220a0d1a00'), '2020-02-29 12:34:56.789012', point(1, 2));
insert into picture select 2, repeat(unhex('00ff10'), 400000), now(6), null;
insert into old_style values (1, 'first'), (2, 'second');
insert into `odd ``name``` values (1, 'tab	and
newline');
create view rich as select id, name from customer where balance > 0;
delimiter //
create trigger watch before insert on customer for each row begin if new.balance is null then set new.balance = 0; end if; end//
create procedure greet(in who varchar(40)) begin select concat('Hello ', who, ' 🌊'); end//
create function twice(n int) returns int deterministic return n * 2//
create event tidy on schedule every 1 day disable do delete from customer where balance < -100//
delimiter ;
